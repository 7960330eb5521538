#include "pyhost/running_request.h"

#include "pyhost/request_text.h"

#include <utility>

namespace pyhost {

void RunningRequest::end() {
  const std::lock_guard lock(mutex_);
  running_.store(kNothing, std::memory_order_relaxed);
  if (std::exchange(raised_, false)) PyThreadState_SetAsyncExc(python_id_, nullptr);
}

std::optional<RunningRequest::Story> RunningRequest::tell(const WorkerEnd::RequestDemand& demand,
                                                          StackDump& dump) {
  const std::lock_guard lock(mutex_);
  if (!runs(demand)) return std::nullopt;
  return Story{std::string(find_param(params_, "pycgid.request_id")), describe_request(params_),
               dump.of(thread_)};
}

void RunningRequest::raise(const WorkerEnd::RequestDemand& demand, PyObject* exception) {
  const std::lock_guard lock(mutex_);
  if (!runs(demand)) return;
  PyThreadState_SetAsyncExc(python_id_, exception);
  raised_ = true;
}

}  // namespace pyhost
