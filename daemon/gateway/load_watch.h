// Watches how busy a pool is and tells the master, which starts and ends workers of a pool with
// `processes = MIN-MAX` by that; tells the administrator when all threads stay busy and no worker
// can be added. The gateway's thread only.
#pragma once

#include "daemon/gateway/alarm.h"
#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/overload_notices.h"
#include "daemon/link.h"
#include "daemon/settings.h"

#include <cstddef>
#include <functional>
#include <optional>

namespace pycgid {

// How busy the serving workers are.
struct Load {
  unsigned workers = 0;
  std::size_t threads = 0;
  std::size_t active = 0;  // threads with a request
  std::size_t queue = 0;   // requests without a thread, handed ahead or not
};

// The dispatcher.
class LoadSource {
 public:
  // Sees which requests have ended meanwhile, before load().
  virtual void note_ended() = 0;
  virtual Load load() const = 0;

 protected:
  ~LoadSource() = default;
};

class LoadWatch {
 public:
  using TellMaster = std::function<void(Message message)>;

  // Everything outlives it.
  LoadWatch(EventLoop& loop, const PoolSettings& pool, LoadSource& source, OverloadNotices& notices,
            TellMaster tell_master);

  // At the end of each turn in which requests came or waited.
  void note(const Load& load);
  // A request was refused because the queue is full: with `max-queue = 0` none ever waits.
  void refused();
  // There may be more serving workers than before.
  void workers_changed();

 private:
  bool is_elastic() const { return pool_.processes_min < pool_.processes_max; }
  void look_at_queue();
  void ask_for_workers(std::size_t waiting);
  void report();

  EventLoop& loop_;
  const PoolSettings& pool_;
  LoadSource& source_;
  OverloadNotices& notices_;
  TellMaster tell_master_;
  std::optional<Clock::time_point> waiting_since_;  // without a break
  std::size_t peak_ = 0;                            // of requests at once, since the last report
  Alarm<LoadWatch> look_{*this, &LoadWatch::look_at_queue};
  Alarm<LoadWatch> report_{*this, &LoadWatch::report};
};

}  // namespace pycgid
