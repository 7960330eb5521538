#include "daemon/gateway/status_text.h"

#include "daemon/log.h"
#include "daemon/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <numeric>

namespace pycgid {
namespace {

constexpr std::size_t kColumn = 22;

std::string time_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

std::string decimal(double value) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.6f", value);
  return text.data();
}

std::string seconds_text(std::chrono::nanoseconds time) {
  return decimal(std::chrono::duration<double>(time).count());
}

std::uint64_t count_of(const TimeHistogram& histogram) {
  const auto& counts = histogram.counts();
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

// "0.25": the upper bound of a bucket in seconds, "+Inf" for the last one.
std::string bound_text(std::size_t bucket) {
  if (bucket == TimeHistogram::kMilliseconds.size()) return "+Inf";
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%g", TimeHistogram::kMilliseconds[bucket] / 1000.0);
  return text.data();
}

// --- plain text ----------------------------------------------------------------------------------

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

// The page is UTF-8, and a front may pass any bytes.
std::string plain_bytes(std::string_view text) {
  std::string result;
  for (char character : escape_control(text)) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x80) {
      result += character;
      continue;
    }
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(byte));
    result += escape.data();
  }
  return result;
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

// --- JSON ----------------------------------------------------------------------------------------

// Bytes beyond ASCII appear as the characters of Latin-1, as WSGI has them.
std::string json_string(std::string_view text) {
  std::string result = "\"";
  for (char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte < 0x7f) {
      if (byte == '"' || byte == '\\') result += '\\';
      result += character;
      continue;
    }
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(byte));
    result += escape.data();
  }
  return result += '"';
}

std::string member(std::string_view name, std::string_view value) {
  return concat(json_string(name), ":", value);
}

// The items between brackets or braces.
template <typename Items, typename Render>
std::string joined(char open, const Items& items, Render render, char close) {
  std::string text(1, open);
  for (const auto& item : items) {
    if (text.size() > 1) text += ',';
    text += render(item);
  }
  return text += close;
}

std::string json_labelled(const std::vector<LabelledFigure>& figures) {
  return joined(
      '{', figures,
      [](const LabelledFigure& figure) { return member(figure.label, concat(figure.value)); }, '}');
}

std::string json_histogram(const TimeHistogram& histogram) {
  std::string buckets;
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
    up_to += histogram.counts()[i];
    buckets += (buckets.empty() ? "" : ",") + member(bound_text(i), concat(up_to));
  }
  return concat("{", member("count", concat(count_of(histogram))), ",",
                member("sum_seconds", seconds_text(histogram.sum())), ",\"up_to\":{", buckets,
                "}}");
}

std::string json_request(const RequestReport& request) {
  return concat("{", member("id", json_string(request.id)), ",",
                member("method", json_string(request.method)), ",",
                member("uri", json_string(request.uri)), ",",
                member("running", request.running ? "true" : "false"), ",",
                member("duration_seconds", seconds_text(request.duration)), "}");
}

std::string json_worker(const WorkerReport& worker) {
  std::string text =
      concat("{", member("name", json_string(worker.name)), ",", member("pid", concat(worker.pid)),
             ",", member("state", json_string(worker.state)), ",",
             member("generation", concat(worker.generation)), ",",
             member("age_seconds", seconds_text(worker.age)), ",",
             member("requests", concat(worker.requests)), ",",
             member("memory_bytes", worker.memory ? concat(*worker.memory) : "null"), ",",
             member("cpu_seconds", worker.cpu ? seconds_text(*worker.cpu) : "null"), ",");
  return text + member("current", joined('[', worker.current, json_request, ']')) + "}";
}

// --- OpenMetrics ---------------------------------------------------------------------------------

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

struct WorkerFamily {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  std::optional<std::string> (*value)(const WorkerReport& worker);
};

constexpr std::array kWorkerFamilies{
    WorkerFamily{"worker_requests", "counter", "Requests that the worker has done.",
                 [](const WorkerReport& worker) -> std::optional<std::string> {
                   return concat(worker.requests);
                 }},
    WorkerFamily{"worker_memory_bytes", "gauge", "Resident memory.",
                 [](const WorkerReport& worker) -> std::optional<std::string> {
                   if (!worker.memory) return std::nullopt;
                   return concat(*worker.memory);
                 }},
    WorkerFamily{"worker_cpu_seconds", "counter", "User and system time.",
                 [](const WorkerReport& worker) -> std::optional<std::string> {
                   if (!worker.cpu) return std::nullopt;
                   return seconds_text(*worker.cpu);
                 }}};

std::string worker_family(std::span<const PoolReport> pools, const WorkerFamily& of) {
  const std::string_view suffix = of.type == "counter" ? "_total" : "";
  std::string text = family(of.name, of.type, of.help);
  for (const PoolReport& pool : pools) {
    for (const WorkerReport& worker : pool.workers) {
      const auto value = of.value(worker);
      if (!value) continue;
      text += sample(concat(of.name, suffix),
                     concat(label("pool", pool.name), ",", label("worker", worker.name), ",",
                            label("pid", concat(worker.pid))),
                     *value);
    }
  }
  return text;
}

}  // namespace

std::string plain_text(const PoolReport& pool, bool full) {
  std::string text = plain_line("pool", escape_control(pool.name)) +
                     plain_line("start time", time_text(pool.start));
  for (const Figure& figure : pool.figures) {
    text += plain_line(spaced(figure.name), concat(figure.value));
  }
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

std::string json(const PoolReport& pool, bool full) {
  std::string text = concat("{", member("pool", json_string(pool.name)), ",",
                            member("start_time", json_string(time_text(pool.start))));
  for (const Figure& figure : pool.figures) {
    text += "," + member(figure.name, concat(figure.value));
  }
  text += "," + member("failures", json_labelled(pool.failures));
  text += "," + member("timeouts", json_labelled(pool.timeouts));
  text += "," + member("queue_time", json_histogram(pool.queue_time));
  text += "," + member("duration", json_histogram(pool.duration));
  if (full) text += "," + member("workers", joined('[', pool.workers, json_worker, ']'));
  return text + "}";
}

std::string openmetrics(std::span<const PoolReport> pools) {
  std::string text;
  for (std::size_t i = 0; i < pools.front().figures.size(); ++i) text += figure_family(pools, i);
  text += labelled_family(
      pools, {"failures", "cause", "Answers with a status of 500 or more.", &PoolReport::failures});
  text += labelled_family(
      pools, {"timeouts", "option", "Deadlines that have passed.", &PoolReport::timeouts});
  text += histogram_family(pools, {"queue_time_seconds", "How long requests waited for a thread.",
                                   &PoolReport::queue_time});
  text += histogram_family(pools, {"duration_seconds", "From the queue to the end of the answer.",
                                   &PoolReport::duration});
  for (const WorkerFamily& of : kWorkerFamilies) text += worker_family(pools, of);
  return text + "# EOF\n";
}

}  // namespace pycgid
