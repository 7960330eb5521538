// The figures of a pool, and of the whole daemon, at one moment, as every form of the status shows
// them. The gateway collects them; where it does not answer, the master shows what it knows itself.
#pragma once

#include "daemon/gateway/pool_stats.h"
#include "daemon/settings.h"
#include "daemon/status/pool_state.h"

#include <chrono>
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
  // "starting", "warming", "ready" (it waits for the rest of its generation), "idle", "busy",
  // "draining", "ending"
  std::string_view state;
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
  PoolState state;
  std::string failure;  // why it does not start; empty: it does
  // Those of the gateway; all pools of a report have the same ones, or none.
  std::vector<Figure> figures;
  std::vector<LabelledFigure> failures;  // by cause
  std::vector<LabelledFigure> timeouts;  // by option
  TimeHistogram queue_time;
  TimeHistogram duration;
  std::vector<WorkerReport> workers;
};

struct DaemonReport {
  std::string version;
  pid_t master = 0;
  pid_t gateway = 0;  // -1: there is none now
  std::chrono::steady_clock::time_point started{};
  std::string problem;  // why the figures of the gateway are missing; empty: they are there
  std::vector<PoolReport> pools;
};

// What is known of a process from /proc; empty where that doesn't show other users' processes.
std::optional<std::uint64_t> resident_memory(pid_t pid);
std::optional<Milliseconds> cpu_time(pid_t pid);

}  // namespace pycgid
