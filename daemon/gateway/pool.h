// One pool, as the gateway runs it: its settings, its queue and workers, and its logs. The
// gateway's thread only.
//
// Settings change in place, when the generation of workers that was started with them takes over:
// all who look at them see the new ones from then on, and connections, queue and counters stay.
#pragma once

#include "daemon/gateway/access_log.h"
#include "daemon/gateway/dispatcher.h"
#include "daemon/gateway/event_loop.h"
#include "daemon/gateway/exchange.h"
#include "daemon/gateway/pool_record.h"
#include "daemon/gateway/slow_log.h"
#include "daemon/gateway/tls_door.h"
#include "daemon/settings.h"
#include "pyhost/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace pycgid {

// Settings of a generation that may take over.
struct NextSettings {
  std::uint32_t generation = 0;
  PoolSettings settings{};
  pyhost::UniqueFd access_log{};  // empty: off, or no file
  pyhost::UniqueFd slow_log{};    // likewise
};

class Pool {
 public:
  Pool(EventLoop& loop, const Settings& global, PoolSettings settings,
       Dispatcher::TellMaster tell_master)
      : settings_(std::move(settings)),
        dispatcher(loop, settings_, std::move(tell_master)),
        access_log(settings_),
        context{loop, dispatcher, record, settings_, global, &access_log} {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // What a worker of this generation was started with.
  const PoolSettings& settings_of(std::uint32_t generation) const {
    return next_ && generation >= next_->generation ? next_->settings : settings_;
  }
  void expect(NextSettings next) { next_ = std::move(next); }
  void keep() { next_.reset(); }
  void adopt_next();
  // Requests go to this generation, or to a later one.
  void take_over(std::uint32_t generation);
  // The pool does not start, and why.
  void refuse(std::string why);
  // It will not start any more: those who have waited for that are told so.
  void give_up_start(std::string why);
  // What the master has told of it, in a message of type pool_state.
  void note_state(std::string_view text);

 private:
  PoolSettings settings_;
  std::optional<NextSettings> next_;

 public:
  Dispatcher dispatcher;
  AccessLog access_log;
  std::shared_ptr<SlowLog> slow_log = std::make_shared<SlowLog>();
  TlsDoor tls;
  PoolRecord record;
  ExchangeContext context;
  std::size_t listeners = 0;
  bool opened = false;  // they are watched
};

}  // namespace pycgid
