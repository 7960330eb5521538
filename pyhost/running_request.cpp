#include "pyhost/running_request.h"

#include "pyhost/gil.h"
#include "pyhost/request_text.h"

#include <mutex>
#include <unistd.h>
#include <utility>

namespace pyhost {
namespace {

// What the calling thread runs; null in threads that are not the worker's.
thread_local RunningRequest* here = nullptr;

}  // namespace

RunningRequest::RunningRequest()
    : thread_(::pthread_self()), process_(::getpid()), python_id_(PyThread_get_thread_ident()) {
  here = this;
}

void RunningRequest::move_on(Phase next) {
  const AttachedLock lock(mutex_);
  if (phase_ != Phase::cut) phase_ = next;
  take_back();
}

void RunningRequest::end() {
  const AttachedLock lock(mutex_);
  running_.store(kNothing, std::memory_order_relaxed);
  take_back();
}

// In a fork another thread may have held the mutex, and nobody is interrupted there.
void RunningRequest::note_cut_on_this_thread(std::uint32_t slot) {
  if (here == nullptr || !here->is_in(slot) || here->process_ != ::getpid()) return;
  here->move_on(Phase::cut);
}

void RunningRequest::take_back() {
  if (std::exchange(raised_, false)) PyThreadState_SetAsyncExc(python_id_, nullptr);
}

std::optional<RunningRequest::Story> RunningRequest::tell(const WorkerEnd::RequestDemand& demand,
                                                          StackDump& dump) {
  const std::lock_guard lock(mutex_);
  if (!runs(demand)) return std::nullopt;
  return Story{ShortText(find_param(params_, "pycgid.request_id")), describe_request(params_),
               dump.of(thread_)};
}

void RunningRequest::raise(const WorkerEnd::RequestDemand& demand, bool aborted,
                           PyObject* exception) {
  // Before the mutex: this makes Python objects, and so may run code of the application.
  if (!runs(demand) || !stack_.is_current(python_id_)) return;
  const AttachedLock lock(mutex_);
  if (!runs(demand) || phase_ == Phase::cut || (phase_ == Phase::closing && aborted)) return;
  PyThreadState_SetAsyncExc(python_id_, exception);
  raised_ = true;
}

}  // namespace pyhost
