#include "pyhost/interrupter.h"

#include "pyhost/gil.h"
#include "pyhost/log_lines.h"

#include <string>

namespace pyhost {
namespace {

void log_stack(const RunningRequest::Story& story, LogLevel level) {
  const LogRequest marked(story.id);
  std::string text = story.text;
  if (story.stack.empty()) {
    text += ": its stack cannot be had";
  } else {
    text.append(": stack, most recent call first\n").append(story.stack);
  }
  log_text(level, text);
}

}  // namespace

RunningRequest& Interrupter::add_thread() {
  const std::lock_guard lock(mutex_);
  return *threads_.emplace_back(std::make_unique<RunningRequest>());
}

void Interrupter::run() {
  while (const auto demand = worker_.wait_demand()) carry_out(*demand);
}

// Nobody else calls into RunningRequest for long, and threads are only ever added.
void Interrupter::carry_out(const WorkerEnd::RequestDemand& demand) {
  std::vector<RunningRequest*> threads;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& thread : threads_) threads.push_back(thread.get());
  }
  const LogLevel level = demand.demand == Demand::timeout ? LogLevel::error
                         : demand.demand == Demand::cut   ? LogLevel::warning
                                                          : LogLevel::slow;
  for (RunningRequest* thread : threads) {
    const auto story = thread->tell(demand, dump_);
    if (!story) continue;
    log_stack(*story, level);
    if (demand.demand == Demand::stack) return;
    const Attach attach;
    return thread->raise(demand, worker_.aborted(demand.slot), state_.request_timeout);
  }
}

}  // namespace pyhost
