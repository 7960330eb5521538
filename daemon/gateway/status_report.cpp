#include "daemon/gateway/status_report.h"

#include "daemon/gateway/dispatcher.h"
#include "daemon/gateway/pool_record.h"
#include "daemon/gateway/worker.h"

#include <array>
#include <string>

namespace pycgid {
namespace {

using Kind = Figure::Kind;

Milliseconds milliseconds(Clock::duration duration) {
  return std::chrono::duration_cast<Milliseconds>(duration);
}

RequestReport report_of(const Worker& worker, const Exchange& exchange, Clock::time_point now) {
  RequestReport report;
  report.id = exchange.id();
  report.method = exchange.request().method();
  report.uri = exchange.request().uri();
  report.running = worker.has_begun(exchange.slot());
  report.duration = milliseconds(now - exchange.queued_since());
  return report;
}

// Null when it has no channel yet, or is lost.
const Worker* find_worker(const Dispatcher& dispatcher, std::uint32_t id) {
  for (const auto& worker : dispatcher.workers()) {
    if (worker->info().id == id && !worker->lost()) return worker.get();
  }
  return nullptr;
}

std::string_view state_of(const Worker& worker, std::uint32_t serving) {
  if (worker.retired()) return "draining";
  if (!worker.is_open()) return "warming";
  if (worker.info().generation != serving) return "ready";
  return worker.active() > 0 ? "busy" : "idle";
}

WorkerReport report_of(const PoolRecord::Process& process, const Dispatcher& dispatcher,
                       Clock::time_point now) {
  const WorkerInfo& info = process.info;
  WorkerReport report;
  report.name = info.name.substr(0, info.name.rfind('['));
  report.pid = info.pid;
  report.state = process.loaded ? "ending" : "starting";
  report.generation = info.generation;
  report.age = milliseconds(now - info.started);
  report.memory = resident_memory(info.pid);
  report.cpu = cpu_time(info.pid);
  const Worker* worker = find_worker(dispatcher, info.id);
  if (worker == nullptr) return report;
  report.state = state_of(*worker, dispatcher.generation());
  report.requests = worker->requests();
  for (const Exchange* exchange : worker->exchanges()) {
    report.current.push_back(report_of(*worker, *exchange, now));
  }
  return report;
}

std::vector<Figure> figures_of(const ExchangeContext& context) {
  context.dispatcher.note_ended();
  const Dispatcher& dispatcher = context.dispatcher;
  const PoolStats& stats = dispatcher.stats();
  const Load load = dispatcher.load();
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - stats.started);
  return {
      {"uptime_seconds", Kind::gauge, "Since the gateway started.",
       static_cast<std::uint64_t>(uptime.count())},
      {"accepted_connections", Kind::counter, "Connections of front servers.", stats.connections},
      {"requests", Kind::counter, "Requests for the application.", stats.requests},
      {"queue", Kind::gauge, "Requests that wait for a thread.", load.queue},
      {"max_queue", Kind::gauge, "Most requests that ever waited at once.", stats.max_queue},
      {"queue_limit", Kind::gauge, "Option max-queue.", context.pool.max_queue},
      {"workers", Kind::gauge, "Workers that serve.", load.workers},
      {"min_workers", Kind::gauge, "The fewest of option processes.", context.pool.processes_min},
      {"max_workers", Kind::gauge, "The most of option processes.", context.pool.processes_max},
      {"idle_threads", Kind::gauge, "Threads without a request.", load.threads - load.active},
      {"active_threads", Kind::gauge, "Threads with a request.", load.active},
      {"total_threads", Kind::gauge, "Threads of the serving workers.", load.threads},
      {"max_active_threads", Kind::gauge, "Most threads that ever had a request at once.",
       stats.max_active},
      {"limit_reached", Kind::counter, "Times that requests began to wait for a thread.",
       stats.limit_reached},
      {"slow_requests", Kind::counter, "Requests that ran longer than option slow-request.",
       stats.slow_requests},
      {"generation", Kind::gauge, "The serving generation of workers.", dispatcher.generation()}};
}

std::vector<LabelledFigure> failures_of(const PoolStats& stats) {
  constexpr std::array<std::string_view, kFailures> kCauses{
      "application",     "worker died", "queue full", "queue timeout",
      "request timeout", "not started", "internal"};
  std::vector<LabelledFigure> figures;
  for (std::size_t i = 0; i < kFailures; ++i) figures.push_back({kCauses[i], stats.failures[i]});
  return figures;
}

std::vector<LabelledFigure> timeouts_of(const PoolStats& stats) {
  constexpr std::array<std::string_view, kExpiries> kOptions{"params-timeout", "body-timeout",
                                                             "send-timeout"};
  std::vector<LabelledFigure> figures;
  for (std::size_t i = 0; i < kExpiries; ++i) figures.push_back({kOptions[i], stats.expiries[i]});
  figures.push_back(
      {"request-timeout", stats.failures[static_cast<std::size_t>(Failure::request_timeout)]});
  figures.push_back(
      {"queue-timeout", stats.failures[static_cast<std::size_t>(Failure::queue_timeout)]});
  return figures;
}

}  // namespace

PoolReport report_of(const ExchangeContext& context) {
  const PoolStats& stats = context.dispatcher.stats();
  PoolReport report{.name = context.pool.name,
                    .start = stats.start,
                    .state = context.record.state,
                    .failure = context.record.failure,
                    .figures = figures_of(context),
                    .failures = failures_of(stats),
                    .timeouts = timeouts_of(stats),
                    .queue_time = stats.queue_time,
                    .duration = stats.duration,
                    .workers = {}};
  for (const auto& [id, process] : context.record.processes) {
    report.workers.push_back(report_of(process, context.dispatcher, context.loop.now()));
  }
  return report;
}

}  // namespace pycgid
