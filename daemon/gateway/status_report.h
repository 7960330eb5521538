// A pool's figures at one moment, as all status pages show them, whatever their form. Collected on
// the gateway's thread.
#pragma once

#include "daemon/gateway/exchange.h"
#include "daemon/gateway/pool_stats.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace pycgid {

struct Figure {
  enum class Kind { gauge, counter };
  std::string_view name;  // with underscores
  Kind kind;
  std::string_view help;
  std::uint64_t value;
};

// One counter with a label.
struct LabelledFigure {
  std::string_view label;
  std::uint64_t value;
};

struct RequestReport {
  std::string id;
  std::string method;
  std::string uri;
  bool running = false;  // no: it waits for a thread of its worker
  Milliseconds duration{};
};

struct WorkerReport {
  std::string name;  // "blog/2"
  pid_t pid = 0;
  std::string_view state;  // "idle", "busy", "draining"
  std::uint32_t generation = 0;
  Milliseconds age{};
  std::uint64_t requests = 0;
  std::optional<std::uint64_t> memory;  // resident, in bytes
  std::optional<Milliseconds> cpu;      // user and system
  std::vector<RequestReport> current;
};

struct PoolReport {
  std::string name;
  std::chrono::system_clock::time_point start;
  std::vector<Figure> figures;
  std::vector<LabelledFigure> failures;  // by cause
  std::vector<LabelledFigure> timeouts;  // by option
  TimeHistogram queue_time;
  TimeHistogram duration;
  std::vector<WorkerReport> workers;
};

PoolReport report_of(const ExchangeContext& context);

}  // namespace pycgid
