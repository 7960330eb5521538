// The figures for people: an overview of all pools, then each with its workers, see forms.h.
#include "daemon/status/forms.h"
#include "daemon/status/parts.h"
#include "daemon/text.h"

#include <algorithm>

namespace pycgid {
namespace {

using Row = std::vector<std::string>;

// Rows of words in columns; numbers stand right.
std::string columns(const std::vector<Row>& rows, std::string_view indent) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line(indent);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string fill(widths[i] - row[i].size(), ' ');
      const bool is_number = rows.back()[i].find_first_not_of("0123456789/-") == std::string::npos;
      line += (i == 0 ? "" : "  ") + (is_number ? fill + row[i] : row[i] + fill);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

// "-" where the gateway does not answer.
std::string count_text(const PoolReport& pool, std::string_view name) {
  const auto found = std::ranges::find(pool.figures, name, &Figure::name);
  return found == pool.figures.end() ? "-" : concat(found->value);
}

std::string sum_text(const std::vector<LabelledFigure>& figures) {
  if (figures.empty()) return "-";
  std::uint64_t sum = 0;
  for (const LabelledFigure& figure : figures) sum += figure.value;
  return concat(sum);
}

std::string ago(std::chrono::steady_clock::time_point time) {
  return duration_text(since(time)) + " ago";
}

Row overview_row(const PoolReport& pool) {
  const auto& last = pool.state.last_reload;
  return {plain_bytes(pool.name),
          std::string(state_word(pool)),
          concat(pool.state.serving),
          concat(pool.workers.size()),
          concat(count_text(pool, "active_threads"), "/", count_text(pool, "total_threads")),
          concat(count_text(pool, "queue"), "/", count_text(pool, "queue_limit")),
          count_text(pool, "requests"),
          sum_text(pool.failures),
          last ? concat(outcome_word(*last), " ", ago(last->when)) : std::string("none")};
}

std::string overview(const std::vector<PoolReport>& pools) {
  std::vector<Row> rows{
      {"POOL", "STATE", "GEN", "WORKERS", "BUSY", "QUEUE", "REQUESTS", "5XX", "LAST RELOAD"}};
  for (const PoolReport& pool : pools) rows.push_back(overview_row(pool));
  return columns(rows, "");
}

std::string detail(std::string_view name, std::string_view value) {
  constexpr std::size_t kColumn = 14;
  std::string line = concat("  ", name);
  line.resize(std::max(kColumn, line.size() + 1), ' ');
  return concat(line, value, "\n");
}

// "application 2, queue full 1": those that are not zero.
std::string labelled_text(const std::vector<LabelledFigure>& figures) {
  std::string text;
  for (const LabelledFigure& figure : figures) {
    if (figure.value > 0) text += concat(text.empty() ? "" : ", ", figure.label, " ", figure.value);
  }
  return text.empty() ? "none" : text;
}

// The bucket that this part of all times is in or below.
std::string quantile(const TimeHistogram& histogram, double part) {
  const auto enough = part * static_cast<double>(count_of(histogram));
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < TimeHistogram::kMilliseconds.size(); ++i) {
    up_to += histogram.counts()[i];
    if (static_cast<double>(up_to) >= enough) {
      return concat("within ", duration_text(Milliseconds(TimeHistogram::kMilliseconds[i])));
    }
  }
  return concat("over ", duration_text(Milliseconds(TimeHistogram::kMilliseconds.back())));
}

std::string times_text(const TimeHistogram& histogram) {
  const std::uint64_t count = count_of(histogram);
  if (count == 0) return "no request yet";
  const auto sum = std::chrono::duration<double, std::milli>(histogram.sum());
  const std::string mean = concat(sum.count() / static_cast<double>(count));
  return concat("mean ", mean.substr(0, mean.find('.') + 3), "ms, half ", quantile(histogram, 0.5),
                ", 95 % ", quantile(histogram, 0.95), ", 99 % ", quantile(histogram, 0.99));
}

std::string reload_text(const PoolState& state) {
  std::string text = concat(state.reloads, " ok, ", state.failed_reloads, " failed");
  if (state.candidate != 0) text += concat("; generation ", state.candidate, " is being started");
  if (!state.last_reload) return text;
  const ReloadOutcome& last = *state.last_reload;
  text += concat("; the last, ", time_text(last.when), ", generation ", last.generation, ": ",
                 outcome_word(last));
  return last.ok ? text : concat(text, ": ", plain_bytes(last.reason));
}

std::string gateway_details(const PoolReport& pool) {
  const auto count = [&pool](std::string_view name) { return count_text(pool, name); };
  return detail("since", concat(time_text(pool.start), ", up ",
                                duration_text(std::chrono::duration_cast<Milliseconds>(
                                    std::chrono::system_clock::now() - pool.start)))) +
         detail("connections", concat(count("accepted_connections"), " accepted")) +
         detail("requests", concat(count("requests"), ", slow ", count("slow_requests"))) +
         detail("threads",
                concat(count("active_threads"), " busy, ", count("idle_threads"), " idle, ",
                       count("total_threads"), " in all; ", count("max_active_threads"),
                       " busy at most, limit reached ", count("limit_reached"), " times")) +
         detail("queue", concat(count("queue"), " now, ", count("max_queue"), " at most, limit ",
                                count("queue_limit"))) +
         detail("queue time", times_text(pool.queue_time)) +
         detail("duration", times_text(pool.duration)) +
         detail("5xx", labelled_text(pool.failures)) +
         detail("timeouts", labelled_text(pool.timeouts));
}

Row worker_row(const WorkerReport& worker) {
  return {worker.name,
          concat(worker.pid),
          std::string(worker.state),
          concat(worker.generation),
          duration_text(worker.age),
          concat(worker.requests),
          worker.memory ? concat(*worker.memory >> 20, "M") : "-",
          worker.cpu ? duration_text(*worker.cpu) : "-"};
}

std::string request_line(const WorkerReport& worker, const RequestReport& request) {
  return concat("  ", worker.name, " ", request.running ? "runs " : "has waiting ", request.id, " ",
                duration_text(request.duration), " ", plain_bytes(request.method), " ",
                plain_bytes(request.uri), "\n");
}

std::string workers_text(const PoolReport& pool) {
  if (pool.workers.empty()) return {};
  std::vector<Row> rows{{"WORKER", "PID", "STATE", "GEN", "AGE", "REQUESTS", "MEMORY", "CPU"}};
  for (const WorkerReport& worker : pool.workers) rows.push_back(worker_row(worker));
  std::string text = columns(rows, "  ");
  for (const WorkerReport& worker : pool.workers) {
    for (const RequestReport& request : worker.current) text += request_line(worker, request);
  }
  return text;
}

std::string pool_text(const PoolReport& pool) {
  std::string text = concat("\npool ", in_quotes(plain_bytes(pool.name)), ": ", state_word(pool));
  if (pool.state.serving != 0) text += concat(", generation ", pool.state.serving);
  text += "\n";
  if (!pool.failure.empty()) text += detail("failure", plain_bytes(pool.failure));
  text += detail("reloads", reload_text(pool.state));
  text += detail("deaths", concat(pool.state.deaths, " of workers in service, ",
                                  pool.state.recycled, " workers recycled"));
  if (!pool.figures.empty()) text += gateway_details(pool);
  return text + workers_text(pool);
}

}  // namespace

std::string table(const DaemonReport& daemon) {
  const std::string gateway =
      daemon.gateway < 0 ? std::string("no gateway") : concat("gateway ", daemon.gateway);
  std::string text =
      concat("pycgid ", daemon.version, ", up ", duration_text(since(daemon.started)), " since ",
             time_text(daemon.started), ", master ", daemon.master, ", ", gateway, "\n");
  if (!daemon.problem.empty())
    text += concat("only what the master knows: ", plain_bytes(daemon.problem), "\n");
  text += "\n" + overview(daemon.pools);
  for (const PoolReport& pool : daemon.pools) text += pool_text(pool);
  return text;
}

std::string status_text(const DaemonReport& daemon, std::string_view form) {
  if (form == "json") return json(daemon);
  if (form == "openmetrics") return openmetrics(daemon);
  return table(daemon);
}

}  // namespace pycgid
