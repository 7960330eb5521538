// Which request a thread runs, so that another thread can look at its stack or end it. The thread
// itself calls begin(), move_on() and end(); the interrupter (interrupter.h) everything else.
//
//   begin() --> running --> closing --> end()     the answer is over, the application cleans up
//                  |            |
//                  +---> cut ---+                 the application knows that nobody wants it
//
// An exception is raised while the request runs. While it closes, only if the gateway has not cut
// it: what cleans up after a cut request must not be interrupted, or it would leak what it was
// about to release; and what has been told of the cut needs no second reason to end.
//
// The mutex is never waited for with the GIL (AttachedLock), and with it held no Python object is
// made or dropped: its holder would wait for the GIL of the one that waits. An exception is only
// raised while the mutex says that the phase lasts, and each change of phase takes back one that
// has not arrived: it never hits what the thread does next.
#pragma once

#include "pyhost/buffer.h"
#include "pyhost/channel.h"
#include "pyhost/internal/py.h"
#include "pyhost/mutex.h"
#include "pyhost/own_stack.h"
#include "pyhost/short_text.h"
#include "pyhost/stack_dump.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <pthread.h>
#include <sys/types.h>

namespace pyhost {

class RunningRequest {
 public:
  enum class Phase { running, closing, cut };

  // On the thread that it is about, which it outlives.
  RunningRequest();
  RunningRequest(const RunningRequest&) = delete;
  RunningRequest& operator=(const RunningRequest&) = delete;

  void begin(const TakenRequest& request) {
    params_ = request.params;
    phase_ = Phase::running;
    running_.store(key(request.slot, request.generation), std::memory_order_release);
  }
  // Attached. From `cut` there is no way back.
  void move_on(Phase next);
  // Attached, when no code of the application runs any more.
  void end();

  // Attached, before an exception tells the application that nobody wants the response of this
  // slot. If the calling thread runs that request, it is cut; an application may also hold what
  // belongs to a request of another thread.
  static void note_cut_on_this_thread(std::uint32_t slot);

  // What is told of the request that a demand is about.
  struct Story {
    ShortText id;
    ShortText text;  // "GET /path"
    Buffer stack;    // lines, most recent call first; empty when it could not be had
  };
  // Nothing when the thread does not run that request (any more). Without the GIL, which the thread
  // may be holding; blocks for up to a second.
  std::optional<Story> tell(const WorkerEnd::RequestDemand& demand, StackDump& dump);
  // Attached. `aborted`: the gateway has cut the request. Not while another greenlet runs in the
  // thread: see own_stack.h.
  void raise(const WorkerEnd::RequestDemand& demand, bool aborted, PyObject* exception);

 private:
  static constexpr std::uint64_t kNothing = ~std::uint64_t{0};
  static std::uint64_t key(std::uint32_t slot, std::uint16_t generation) {
    return std::uint64_t{slot} << 16 | generation;
  }
  bool runs(const WorkerEnd::RequestDemand& demand) const {
    return running_.load(std::memory_order_acquire) == key(demand.slot, demand.generation);
  }

  bool is_in(std::uint32_t slot) const {
    return running_.load(std::memory_order_acquire) >> 16 == slot;
  }

  void take_back();

  const pthread_t thread_;
  const pid_t process_;
  const unsigned long python_id_;
  const OwnStack stack_;
  std::string_view params_;  // of the running request
  std::atomic<std::uint64_t> running_{kNothing};
  Mutex mutex_;  // held by end(), so that what runs goes on running
  // Written by the thread itself: before the request is seen, then under mutex_.
  Phase phase_ = Phase::running;
  bool raised_ = false;  // guarded by mutex_
};

}  // namespace pyhost
