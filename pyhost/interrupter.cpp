#include "pyhost/interrupter.h"

#include "pyhost/gil.h"
#include "pyhost/log_lines.h"
#include "pyhost/short_text.h"

namespace pyhost {
namespace {

void log_stack(const RunningRequest::Story& story, LogLevel level) {
  const LogRequest marked(story.id);
  const std::string_view stack = story.stack.view();
  ShortText heading = story.text;
  heading.append(stack.empty() ? ": its stack cannot be had" : ": stack, most recent call first\n");
  Buffer text;
  const bool whole = text.append(heading) && text.append(stack);
  log_text(level, whole ? text.view() : heading.view());
}

}  // namespace

RunningRequest& Interrupter::add_thread() {
  const std::lock_guard lock(mutex_);
  return *threads_.emplace_back(std::make_unique<RunningRequest>());
}

void Interrupter::run() {
  while (const auto demand = worker_.wait_demand()) carry_out(*demand);
}

// Threads are only ever added.
RunningRequest* Interrupter::thread_at(std::size_t index) {
  const std::lock_guard lock(mutex_);
  return index < threads_.size() ? threads_[index].get() : nullptr;
}

// Nobody else calls into RunningRequest for long.
void Interrupter::carry_out(const WorkerEnd::RequestDemand& demand) {
  const LogLevel level = demand.demand == Demand::timeout ? LogLevel::error
                         : demand.demand == Demand::cut   ? LogLevel::warning
                                                          : LogLevel::slow;
  for (std::size_t i = 0; RunningRequest* const thread = thread_at(i); ++i) {
    const auto story = thread->tell(demand, dump_);
    if (!story) continue;
    log_stack(*story, level);
    if (demand.demand == Demand::stack) return;
    const Attach attach;
    return thread->raise(demand, worker_.aborted(demand.slot), state_.request_timeout);
  }
}

}  // namespace pyhost
