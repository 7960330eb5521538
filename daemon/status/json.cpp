// The figures as JSON, in one line, see forms.h.
#include "daemon/status/forms.h"
#include "daemon/status/parts.h"
#include "daemon/text.h"

#include <array>
#include <cstdio>

namespace pycgid {
namespace {

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

std::string json_outcome(const ReloadOutcome& outcome) {
  return concat("{", member("time", json_string(time_text(outcome.when))), ",",
                member("generation", concat(outcome.generation)), ",",
                member("ok", outcome.ok ? "true" : "false"), ",",
                member("reason", outcome.ok ? "null" : json_string(outcome.reason)), "}");
}

std::string json_state(const PoolReport& pool) {
  const PoolState& state = pool.state;
  return concat(
      member("state", json_string(state_word(pool))), ",",
      member("failure", pool.failure.empty() ? "null" : json_string(pool.failure)), ",",
      member("starting_generation", state.candidate == 0 ? "null" : concat(state.candidate)), ",",
      member("reloads", concat(state.reloads)), ",",
      member("failed_reloads", concat(state.failed_reloads)), ",",
      member("last_reload", state.last_reload ? json_outcome(*state.last_reload) : "null"), ",",
      member("worker_deaths", concat(state.deaths)), ",",
      member("workers_recycled", concat(state.recycled)));
}

// What the gateway counts; nothing where it does not answer.
std::string json_counts(const PoolReport& pool) {
  std::string text;
  for (const Figure& figure : pool.figures) {
    text += "," + member(figure.name, concat(figure.value));
  }
  if (pool.failures.empty()) return text;
  text += "," + member("failures", json_labelled(pool.failures));
  text += "," + member("timeouts", json_labelled(pool.timeouts));
  text += "," + member("queue_time", json_histogram(pool.queue_time));
  return text + "," + member("duration", json_histogram(pool.duration));
}

}  // namespace

std::string json(const PoolReport& pool, bool full) {
  std::string text = concat("{", member("pool", json_string(pool.name)), ",",
                            member("start_time", json_string(time_text(pool.start))), ",",
                            json_state(pool), json_counts(pool));
  if (full) text += "," + member("workers", joined('[', pool.workers, json_worker, ']'));
  return text + "}";
}

std::string json(const DaemonReport& daemon) {
  const auto full = [](const PoolReport& pool) { return json(pool, true); };
  return concat("{", member("version", json_string(daemon.version)), ",",
                member("start_time", json_string(time_text(daemon.started))), ",",
                member("uptime_seconds", seconds_text(since(daemon.started))), ",",
                member("master_pid", concat(daemon.master)), ",",
                member("gateway_pid", daemon.gateway < 0 ? "null" : concat(daemon.gateway)), ",",
                member("problem", daemon.problem.empty() ? "null" : json_string(daemon.problem)),
                ",", member("pools", joined('[', daemon.pools, full, ']')), "}\n");
}

}  // namespace pycgid
