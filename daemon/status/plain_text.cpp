// A pool's figures as plain text, a name and a value a line, see forms.h.
#include "daemon/log.h"
#include "daemon/status/forms.h"
#include "daemon/status/parts.h"
#include "daemon/text.h"

#include <algorithm>

namespace pycgid {
namespace {

constexpr std::size_t kColumn = 22;

std::string spaced(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '_', ' ');
  return text;
}

std::string plain_line(std::string_view name, std::string_view value) {
  std::string line = concat(name, ":");
  line.append(line.size() < kColumn ? kColumn - line.size() : 1, ' ');
  return line.append(value).append("\n");
}

std::string plain_histogram(std::string_view name, const TimeHistogram& histogram) {
  std::string buckets;
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
    up_to += histogram.counts()[i];
    buckets += concat(buckets.empty() ? "" : " ", bound_text(i), "=", up_to);
  }
  return plain_line(concat(name, " sum"), seconds_text(histogram.sum())) +
         plain_line(concat(name, " up to"), buckets);
}

std::string plain_outcome(const ReloadOutcome& outcome) {
  const std::string why = outcome.ok ? "" : concat(": ", plain_bytes(outcome.reason));
  return concat(outcome_word(outcome), " ", time_text(outcome.when), " generation ",
                outcome.generation, why);
}

std::string plain_state(const PoolReport& pool) {
  const PoolState& state = pool.state;
  std::string text;
  if (!pool.failure.empty()) text += plain_line("failure", plain_bytes(pool.failure));
  if (state.candidate != 0) text += plain_line("starting generation", concat(state.candidate));
  text += plain_line("reloads", concat(state.reloads)) +
          plain_line("failed reloads", concat(state.failed_reloads)) +
          plain_line("last reload",
                     state.last_reload ? plain_outcome(*state.last_reload) : std::string("none"));
  return text + plain_line("worker deaths", concat(state.deaths)) +
         plain_line("workers recycled", concat(state.recycled));
}

std::string plain_worker(const WorkerReport& worker) {
  std::string text =
      "\n" + plain_line("worker", worker.name) + plain_line("pid", std::to_string(worker.pid)) +
      plain_line("state", worker.state) + plain_line("generation", concat(worker.generation)) +
      plain_line("age", seconds_text(worker.age)) + plain_line("requests", concat(worker.requests));
  if (worker.memory) text += plain_line("memory", concat(*worker.memory));
  if (worker.cpu) text += plain_line("cpu", seconds_text(*worker.cpu));
  for (const RequestReport& request : worker.current) {
    text += plain_line(request.running ? "running request" : "waiting request",
                       concat(request.id, " ", seconds_text(request.duration), " ",
                              plain_bytes(request.method), " ", plain_bytes(request.uri)));
  }
  return text;
}

}  // namespace

std::string plain_text(const PoolReport& pool, bool full) {
  std::string text = plain_line("pool", escape_control(pool.name)) +
                     plain_line("pool state", state_word(pool)) +
                     plain_line("start time", time_text(pool.start));
  for (const Figure& figure : pool.figures) {
    text += plain_line(spaced(figure.name), concat(figure.value));
  }
  text += plain_state(pool);
  for (const LabelledFigure& figure : pool.failures) {
    text += plain_line(concat("5xx, ", figure.label), concat(figure.value));
  }
  for (const LabelledFigure& figure : pool.timeouts) {
    text += plain_line(concat(figure.label, "s"), concat(figure.value));
  }
  text += plain_histogram("queue time", pool.queue_time);
  text += plain_histogram("duration", pool.duration);
  if (!full) return text;
  for (const WorkerReport& worker : pool.workers) text += plain_worker(worker);
  return text;
}

}  // namespace pycgid
