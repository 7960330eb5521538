// The figures as OpenMetrics 1.0: one family after the other, each with all pools, see forms.h.
#include "daemon/status/forms.h"
#include "daemon/status/parts.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>

namespace pycgid {
namespace {

std::string label(std::string_view name, std::string_view value) {
  std::string text = concat(name, "=\"");
  for (char character : value) {
    if (character == '\n') {
      text += "\\n";
      continue;
    }
    if (character == '"' || character == '\\') text += '\\';
    text += character;
  }
  return text += '"';
}

std::string family(std::string_view name, std::string_view type, std::string_view help) {
  return concat("# TYPE pycgid_", name, " ", type, "\n# HELP pycgid_", name, " ", help, "\n");
}

std::string sample(std::string_view name, std::string_view labels, std::string_view value) {
  return concat("pycgid_", name, "{", labels, "} ", value, "\n");
}

// Of the figures that the gateway counts; all pools have the same ones.
std::string figure_family(std::span<const PoolReport> pools, std::size_t index) {
  const Figure& first = pools.front().figures[index];
  const bool counter = first.kind == Figure::Kind::counter;
  std::string text = family(first.name, counter ? "counter" : "gauge", first.help);
  for (const PoolReport& pool : pools) {
    text += sample(concat(first.name, counter ? "_total" : ""), label("pool", pool.name),
                   concat(pool.figures[index].value));
  }
  return text;
}

struct LabelledFamily {
  std::string_view name;
  std::string_view label;
  std::string_view help;
  std::vector<LabelledFigure> PoolReport::*figures;
};

std::string labelled_family(std::span<const PoolReport> pools, const LabelledFamily& of) {
  std::string text = family(of.name, "counter", of.help);
  for (const PoolReport& pool : pools) {
    for (const LabelledFigure& figure : pool.*of.figures) {
      const std::string labels =
          concat(label("pool", pool.name), ",", label(of.label, figure.label));
      text += sample(concat(of.name, "_total"), labels, concat(figure.value));
    }
  }
  return text;
}

struct HistogramFamily {
  std::string_view name;
  std::string_view help;
  TimeHistogram PoolReport::*histogram;
};

std::string histogram_family(std::span<const PoolReport> pools, const HistogramFamily& of) {
  std::string text = family(of.name, "histogram", of.help);
  for (const PoolReport& pool : pools) {
    const TimeHistogram& histogram = pool.*of.histogram;
    const std::string name = label("pool", pool.name);
    std::uint64_t up_to = 0;
    for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
      up_to += histogram.counts()[i];
      text += sample(concat(of.name, "_bucket"), concat(name, ",", label("le", bound_text(i))),
                     concat(up_to));
    }
    text += sample(concat(of.name, "_count"), name, concat(up_to));
    text += sample(concat(of.name, "_sum"), name, seconds_text(histogram.sum()));
  }
  return text;
}

// A figure of the master's; empty: this pool has none.
struct StateFamily {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  std::optional<std::string> (*value)(const PoolReport& pool);
};

using MaybeText = std::optional<std::string>;

constexpr std::array kStateFamilies{
    StateFamily{"up", "gauge", "1 when the pool serves, 0 when it does not start.",
                [](const PoolReport& pool) -> MaybeText {
                  return state_word(pool) == "serving" ? "1" : "0";
                }},
    StateFamily{"starting_generation", "gauge", "The generation that is being started.",
                [](const PoolReport& pool) -> MaybeText {
                  if (pool.state.candidate == 0) return std::nullopt;
                  return concat(pool.state.candidate);
                }},
    StateFamily{"reloads", "counter", "Reloads that took over.",
                [](const PoolReport& pool) -> MaybeText { return concat(pool.state.reloads); }},
    StateFamily{
        "failed_reloads", "counter", "Reloads after which the old generation went on.",
        [](const PoolReport& pool) -> MaybeText { return concat(pool.state.failed_reloads); }},
    StateFamily{"last_reload_successful", "gauge", "Whether the last reload took over.",
                [](const PoolReport& pool) -> MaybeText {
                  if (!pool.state.last_reload) return std::nullopt;
                  return pool.state.last_reload->ok ? "1" : "0";
                }},
    StateFamily{"last_reload_timestamp_seconds", "gauge", "When that was decided.",
                [](const PoolReport& pool) -> MaybeText {
                  if (!pool.state.last_reload) return std::nullopt;
                  return concat(unix_time(pool.state.last_reload->when));
                }},
    StateFamily{"worker_deaths", "counter", "Workers in service that ended unasked.",
                [](const PoolReport& pool) -> MaybeText { return concat(pool.state.deaths); }},
    StateFamily{"workers_recycled", "counter", "Workers that were replaced by options max-*.",
                [](const PoolReport& pool) -> MaybeText { return concat(pool.state.recycled); }}};

std::string state_family(std::span<const PoolReport> pools, const StateFamily& of) {
  std::string text = family(of.name, of.type, of.help);
  for (const PoolReport& pool : pools) {
    const MaybeText value = of.value(pool);
    const std::string_view suffix = of.type == "counter" ? "_total" : "";
    if (value) text += sample(concat(of.name, suffix), label("pool", pool.name), *value);
  }
  return text;
}

struct WorkerFamily {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  MaybeText (*value)(const WorkerReport& worker);
};

std::string longest_request(const WorkerReport& worker) {
  Milliseconds longest{0};
  for (const RequestReport& request : worker.current) longest = std::max(longest, request.duration);
  return seconds_text(longest);
}

constexpr std::array kWorkerFamilies{
    WorkerFamily{"worker_age_seconds", "gauge", "Time since the worker was started.",
                 [](const WorkerReport& worker) -> MaybeText { return seconds_text(worker.age); }},
    WorkerFamily{
        "worker_current_requests", "gauge", "Requests that the worker has now.",
        [](const WorkerReport& worker) -> MaybeText { return concat(worker.current.size()); }},
    WorkerFamily{"worker_longest_request_seconds", "gauge", "Time that the oldest of them took.",
                 [](const WorkerReport& worker) -> MaybeText { return longest_request(worker); }},
    WorkerFamily{"worker_requests", "counter", "Requests that the worker has done.",
                 [](const WorkerReport& worker) -> MaybeText { return concat(worker.requests); }},
    WorkerFamily{"worker_memory_bytes", "gauge", "Resident memory.",
                 [](const WorkerReport& worker) -> MaybeText {
                   if (!worker.memory) return std::nullopt;
                   return concat(*worker.memory);
                 }},
    WorkerFamily{"worker_cpu_seconds", "counter", "User and system time.",
                 [](const WorkerReport& worker) -> MaybeText {
                   if (!worker.cpu) return std::nullopt;
                   return seconds_text(*worker.cpu);
                 }}};

std::string worker_labels(const PoolReport& pool, const WorkerReport& worker) {
  return concat(label("pool", pool.name), ",", label("worker", worker.name), ",",
                label("pid", concat(worker.pid)));
}

std::string worker_info_family(std::span<const PoolReport> pools) {
  std::string text = family("worker", "info", "What a worker is doing.");
  for (const PoolReport& pool : pools) {
    for (const WorkerReport& worker : pool.workers) {
      const std::string labels =
          concat(worker_labels(pool, worker), ",", label("state", worker.state), ",",
                 label("generation", concat(worker.generation)));
      text += sample("worker_info", labels, "1");
    }
  }
  return text;
}

std::string worker_family(std::span<const PoolReport> pools, const WorkerFamily& of) {
  const std::string_view suffix = of.type == "counter" ? "_total" : "";
  std::string text = family(of.name, of.type, of.help);
  for (const PoolReport& pool : pools) {
    for (const WorkerReport& worker : pool.workers) {
      const auto value = of.value(worker);
      if (!value) continue;
      text += sample(concat(of.name, suffix), worker_labels(pool, worker), *value);
    }
  }
  return text;
}

// What the gateway counts.
std::string count_families(std::span<const PoolReport> pools) {
  std::string text;
  if (pools.empty() || pools.front().figures.empty()) return text;
  for (std::size_t i = 0; i < pools.front().figures.size(); ++i) text += figure_family(pools, i);
  text += labelled_family(
      pools, {"failures", "cause", "Answers with a status of 500 or more.", &PoolReport::failures});
  text += labelled_family(
      pools, {"timeouts", "option", "Deadlines that have passed.", &PoolReport::timeouts});
  text += histogram_family(pools, {"queue_time_seconds", "How long requests waited for a thread.",
                                   &PoolReport::queue_time});
  return text +
         histogram_family(pools, {"duration_seconds", "From the queue to the end of the answer.",
                                  &PoolReport::duration});
}

std::string pool_families(std::span<const PoolReport> pools) {
  std::string text = count_families(pools);
  for (const StateFamily& of : kStateFamilies) text += state_family(pools, of);
  text += worker_info_family(pools);
  for (const WorkerFamily& of : kWorkerFamilies) text += worker_family(pools, of);
  return text;
}

}  // namespace

std::string openmetrics(std::span<const PoolReport> pools) {
  return pool_families(pools) + "# EOF\n";
}

std::string openmetrics(const DaemonReport& daemon) {
  return family("build", "info", "The version of the daemon.") +
         sample("build_info", label("version", daemon.version), "1") +
         family("start_time_seconds", "gauge", "When the daemon was started.") +
         concat("pycgid_start_time_seconds ", unix_time(daemon.started), "\n") +
         family("gateway_up", "gauge", "1 when the gateway answers.") +
         concat("pycgid_gateway_up ", daemon.problem.empty() ? 1 : 0, "\n") +
         pool_families(daemon.pools) + "# EOF\n";
}

}  // namespace pycgid
