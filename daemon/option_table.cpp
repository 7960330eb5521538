// The one table of options, see option_table.h.
#include "daemon/option_table.h"

#include "daemon/address.h"
#include "daemon/gateway/access_format.h"
#include "daemon/gateway/peer_filter.h"
#include "daemon/option_setters.h"
#include "daemon/syslog_socket.h"
#include "daemon/text.h"

#include <array>

namespace pycgid {
namespace {

constexpr std::uint64_t kKilo = 1ULL << 10;
constexpr std::uint64_t kMega = 1ULL << 20;
constexpr std::uint64_t kGiga = 1ULL << 30;
constexpr OptionRange kAnyTime{1, 365ULL * 86'400'000};
constexpr std::uint64_t kMostRequests = 1'000'000'000;
constexpr OptionRange kAnySize{0, kGiga* kMega};

template <Protocol kProtocol>
std::string add_address(Settings& settings, std::string_view value, const OptionRow&) {
  Address address;
  std::string wrong = parse_address(value, kProtocol, address);
  if (wrong.empty()) settings.pools.back().addresses.push_back(std::move(address));
  return wrong;
}

std::string add_peer(Settings& settings, std::string_view value, const OptionRow&) {
  if (!PeerFilter().add(value)) return "must be an address or a network like 10.0.0.0/8";
  settings.allow_peer.emplace_back(value);
  return {};
}

std::string set_mount(Settings& settings, std::string_view value, const OptionRow&) {
  if (!value.empty() && !value.starts_with('/')) return "must begin with \"/\"";
  while (value.ends_with('/')) value.remove_suffix(1);
  settings.pools.back().mount = value;
  return {};
}

std::string set_path_info(Settings& settings, std::string_view value, const OptionRow&) {
  if (value != "join" && value != "front") return "must be join or front";
  settings.pools.back().path_info_from_front = value == "front";
  return {};
}

template <auto Member>
std::string set_own_page(Settings& settings, std::string_view value, const OptionRow&) {
  if (value != "off" && !value.starts_with('/')) return "must begin with \"/\", or be off";
  if (value.find('?') != value.npos) return "must be a path without a query, which begins at \"?\"";
  field<Member>(settings) = value == "off" ? "" : value;
  return {};
}

// Absolute, because it is removed at the end, wherever the daemon's directory is then.
std::string set_control(Settings& settings, std::string_view value, const OptionRow&) {
  if (value.size() > kMaxSocketPath) {
    return concat("must not be longer than ", kMaxSocketPath, " bytes");
  }
  if (value != "off" && !value.starts_with('/')) return "must begin with \"/\", or be off";
  settings.control = value == "off" ? "" : value;
  return {};
}

std::string add_env(Settings& settings, std::string_view value, const OptionRow&) {
  const std::size_t equals = value.find('=');
  if (equals == 0 || equals == std::string_view::npos) return "must be NAME=VALUE";
  constexpr std::string_view kForeign = " \t\r\n\"'";
  if (value.substr(0, equals).find_first_of(kForeign) != std::string_view::npos) {
    return "must be NAME=VALUE, with a NAME without blanks and quotes";
  }
  settings.pools.back().env.emplace_back(value);
  return {};
}

std::string add_warmup(Settings& settings, std::string_view value, const OptionRow&) {
  if (!value.starts_with('/')) return "must begin with \"/\"";
  settings.pools.back().warmup.emplace_back(value);
  return {};
}

// "N", or "MIN-MAX"; only as MIN may it be 0.
std::string set_processes(Settings& settings, std::string_view value, const OptionRow& row) {
  const std::size_t dash = value.find('-');
  const auto min = parse_number(value.substr(0, dash));
  const auto max = dash == std::string_view::npos ? min : parse_number(value.substr(dash + 1));
  if (!min || !max || *max < row.range.least || *max > row.range.most) {
    return concat("must be N or MIN-MAX, N and MAX between ", row.range.least, " and ",
                  row.range.most);
  }
  if (*min > *max) return "must be MIN-MAX with a MIN that is not above MAX";
  settings.pools.back().processes_min = static_cast<unsigned>(*min);
  settings.pools.back().processes_max = static_cast<unsigned>(*max);
  return {};
}

// Before the first pool it is the gateway's.
std::string set_user(Settings& settings, std::string_view value, const OptionRow& row) {
  if (settings.pools.empty()) return set_text<&Settings::user>(settings, value, row);
  return set_text<&PoolSettings::user>(settings, value, row);
}

std::string set_group(Settings& settings, std::string_view value, const OptionRow& row) {
  if (settings.pools.empty()) return set_text<&Settings::group>(settings, value, row);
  return set_text<&PoolSettings::group>(settings, value, row);
}

bool names_no_facility(std::string_view where) {
  return is_syslog(where) && !syslog_facility(where);
}

constexpr std::string_view kNoFacility =
    "must name a facility of syslog(3), such as daemon, user or local0";

std::string set_log(Settings& settings, std::string_view value, const OptionRow& row) {
  if (names_no_facility(value)) return std::string(kNoFacility);
  return set_text<&Settings::log>(settings, value, row);
}

std::string set_slow_log(Settings& settings, std::string_view value, const OptionRow& row) {
  if (value == "stderr" || is_syslog(value)) return "must be the path of a file";
  return set_text<&PoolSettings::slow_log>(settings, value, row);
}

std::string set_access_log(Settings& settings, std::string_view value, const OptionRow& row) {
  if (value == "off") {
    settings.pools.back().access_log.clear();
    return {};
  }
  if (names_no_facility(value)) return std::string(kNoFacility);
  return set_text<&PoolSettings::access_log>(settings, value, row);
}

std::string set_access_format(Settings& settings, std::string_view value, const OptionRow& row) {
  if (std::string wrong = AccessFormat().compile(value); !wrong.empty()) return wrong;
  return set_text<&PoolSettings::access_format>(settings, value, row);
}

std::string set_log_format(Settings& settings, std::string_view value, const OptionRow&) {
  const auto format = parse_log_format(value);
  if (!format) return "must be text, plain or json";
  settings.log_format = *format;
  return {};
}

std::string set_log_level(Settings& settings, std::string_view value, const OptionRow&) {
  const auto level = parse_log_level(value);
  if (!level) return "must be error, warning, notice, info or debug";
  settings.log_level = *level;
  return {};
}

std::string set_nice(Settings& settings, std::string_view value, const OptionRow& row) {
  const bool negative = value.starts_with('-');
  const auto number = parse_number(negative ? value.substr(1) : value);
  const std::uint64_t most = negative ? row.range.least : row.range.most;
  if (!number || *number > most) {
    return concat("must be between -", row.range.least, " and ", row.range.most);
  }
  const int nice = static_cast<int>(*number);
  settings.pools.back().nice = negative ? -nice : nice;
  return {};
}

std::string set_core_limit(Settings& settings, std::string_view value, const OptionRow& row) {
  settings.pools.back().rlimit_core = kUnlimited;
  if (value == "unlimited") return {};
  const std::string wrong = set_size<&PoolSettings::rlimit_core>(settings, value, row);
  constexpr std::string_view kMust = "must be ";
  return wrong.empty() ? wrong : concat(kMust, "unlimited, or ", wrong.substr(kMust.size()));
}

std::string set_chroot(Settings& settings, std::string_view value, const OptionRow& row) {
  if (!value.starts_with('/')) return "must begin with \"/\"";
  return set_text<&PoolSettings::chroot>(settings, value, row);
}

using P = PoolSettings;
using S = Settings;
using Sec = OptionSection;

constexpr bool kOnce = false;
constexpr bool kRepeatable = true;
constexpr OptionScope kGlobal = OptionScope::global;
constexpr OptionScope kAnywhere = OptionScope::anywhere;

// clang-format off
constexpr OptionRow kRows[] = {
  {"fastcgi", "ADDR", "", Sec::sockets,
   "listen for FastCGI on unix:/path, unix:@name, fd:N, systemd:NAME, HOST:PORT, [V6]:PORT or "
   "*:PORT, the last three with tls: before them or not",
   add_address<Protocol::fastcgi>, {}, kRepeatable},
  {"scgi", "ADDR", "", Sec::sockets, "listen for SCGI, likewise",
   add_address<Protocol::scgi>, {}, kRepeatable},
  {"socket-mode", "MODE", "0660", Sec::sockets, "permissions of Unix sockets",
   set_mode<&P::socket_mode>},
  {"socket-user", "USER", "", Sec::sockets, "owner of Unix sockets; default: that of option user",
   set_text<&P::socket_user>},
  {"socket-group", "GROUP", "", Sec::sockets,
   "group of Unix sockets; default: that of option group",
   set_text<&P::socket_group>},
  {"backlog", "N", "4096", Sec::sockets, "connections that may wait for accept",
   set_number<&S::backlog>, {1, 65'535}, kOnce, kGlobal},
  {"allow-peer", "NETWORK", "", Sec::sockets, "TCP peers that may connect; default: all",
   add_peer, {}, kRepeatable, kGlobal},
  {"tls-certificate", "FILE", "", Sec::sockets,
   "certificate for addresses with tls: before HOST:PORT, PEM, with its chain",
   set_file<&P::tls_certificate>},
  {"tls-key", "FILE", "", Sec::sockets, "its private key, PEM", set_file<&P::tls_key>},
  {"tls-client-ca", "FILE", "", Sec::sockets,
   "let only those in by TLS whose certificate one of these authorities has signed, PEM",
   set_file<&P::tls_client_ca>},

  {"app", "APP", "", Sec::application, "the application, same as the argument APP",
   set_text<&P::app>},
  {"chdir", "DIR", "", Sec::application, "working directory of the workers, on sys.path behind pythonpath",
   set_text<&P::chdir>},
  {"pythonpath", "DIR", "", Sec::application, "put DIR in front of sys.path",
   append_text<&P::pythonpath>, {}, kRepeatable},
  {"mount", "PREFIX", "", Sec::application, "URL prefix that the application lives under",
   set_mount},
  {"path-info", "HOW", "join", Sec::application,
   "front: trust the front server's own SCRIPT_NAME and PATH_INFO",
   set_path_info},
  {"python", "FILE", "python3", Sec::application, "interpreter to run, a path or a name in PATH",
   set_text<&P::python>},
  {"venv", "DIR", "", Sec::application, "virtual environment; runs DIR/bin/python",
   set_text<&P::venv>},
  {"env", "NAME=VALUE", "", Sec::application, "set a variable in the workers' environment",
   add_env, {}, kRepeatable},
  {"clear-env", "", "no", Sec::application, "pass nothing but PATH and option env to the workers",
   set_flag<&P::clear_env>},
  {"preload", "", "no", Sec::application,
   "load the application once and fork the workers from that process; shares memory",
   set_flag<&P::preload>},
  {"warmup", "PATH", "", Sec::application,
   "request made to each new worker before it serves; 500 or more fails it",
   add_warmup, {}, kRepeatable},
  {"on-start", "COMMAND", "", Sec::application,
   "shell command that each worker runs first; one that fails keeps it from starting",
   set_text<&P::on_start>},
  {"on-exit", "COMMAND", "", Sec::application,
   "shell command to run when a worker has ended, in whatever way",
   set_text<&P::on_exit>},

  {"processes", "RANGE", "", Sec::interpreters,
   "worker processes: N, or MIN-MAX by load, 0-MAX on demand; default: the number of CPUs",
   set_processes, {1, 1024}},
  {"interpreters", "N", "1", Sec::interpreters},
  {"threads", "N", "4", Sec::interpreters, "threads of each process",
   set_number<&P::threads>, {1, 1000}},

  {"max-connections", "N", "10000", Sec::limits, "connections at a time; more wait for accept",
   set_number<&S::max_connections>, {1, 1'000'000}, kOnce, kGlobal},
  {"max-queue", "N", "1000", Sec::limits,
   "requests that may wait for a thread; more are answered 503",
   set_number<&P::max_queue>, {0, 1'000'000}},
  {"queue-timeout", "TIME", "30s", Sec::limits, "longest wait for a thread; then the answer is 503",
   set_time<&P::queue_timeout>, kAnyTime},
  {"max-params", "SIZE", "256K", Sec::limits,
   "bytes of variables of a request; more are answered 431",
   set_size<&P::max_params>, {kKilo, 16 * kMega}},
  {"max-body", "SIZE", "1G", Sec::limits, "bytes of body of a request; more are answered 413",
   set_size<&P::max_body>, kAnySize},
  {"body-buffer", "SIZE", "1M", Sec::limits,
   "bytes of a body kept in memory; the rest goes to a file",
   set_size<&P::body_buffer>, {0, kGiga}},
  {"temp-dir", "DIR", "/tmp", Sec::limits, "directory of these temporary files",
   set_text<&S::temp_dir>, {}, kOnce, kGlobal},
  {"request-buffering", "", "yes", Sec::limits,
   "no: call the application before the body is complete",
   set_flag<&P::request_buffering>},
  {"response-buffer", "SIZE", "1M", Sec::limits, "bytes of a response kept for a slow front server",
   set_size<&P::response_buffer>, {4 * kKilo, kGiga}},
  {"params-timeout", "TIME", "10s", Sec::limits, "longest pause while variables are read",
   set_time<&P::params_timeout>, kAnyTime},
  {"body-timeout", "TIME", "60s", Sec::limits, "longest pause while a body is read",
   set_time<&P::body_timeout>, kAnyTime},
  {"send-timeout", "TIME", "60s", Sec::limits, "longest pause while a response is sent",
   set_time<&P::send_timeout>, kAnyTime},
  {"keep-timeout", "TIME", "75s", Sec::limits, "longest life of an idle connection",
   set_time<&P::keep_timeout>, kAnyTime},
  {"request-timeout", "TIME", "0", Sec::limits,
   "longest time that a request may run; then the answer is 504",
   set_time<&P::request_timeout>, {0, kAnyTime.most}},
  {"slow-request", "TIME", "0", Sec::limits,
   "log where a request is that runs for longer",
   set_time<&P::slow_request>, {0, kAnyTime.most}},
  {"slow-log", "PATH", "", Sec::limits, "file for the stacks of these; default: the error log",
   set_slow_log},
  {"max-requests", "N", "0", Sec::limits, "replace a worker after N requests; 0: never",
   set_number<&P::max_requests>, {0, kMostRequests}},
  {"max-requests-jitter", "N", "0", Sec::limits,
   "up to N requests more, at random for each worker",
   set_number<&P::max_requests_jitter>, {0, kMostRequests}},
  {"max-rss", "SIZE", "0", Sec::limits, "replace a worker that uses more memory; 0: never",
   set_size<&P::max_rss>, kAnySize},
  {"max-lifetime", "TIME", "0", Sec::limits, "replace a worker that is older; 0: never",
   set_time<&P::max_lifetime>, {0, kAnyTime.most}},

  {"user", "USER", "", Sec::process, "run gateway and workers as USER",
   set_user, {}, kOnce, kAnywhere},
  {"group", "GROUP", "", Sec::process, "run them with GROUP; default: the user's groups",
   set_group, {}, kOnce, kAnywhere},
  {"umask", "MODE", "", Sec::process, "umask of the workers",
   set_mode<&P::umask>},
  {"allow-root", "", "no", Sec::process, "allow workers to run as root",
   set_flag<&P::allow_root>},
  {"start-timeout", "TIME", "60s", Sec::process, "longest time that a worker may take to start",
   set_time<&P::start_timeout>, kAnyTime},
  {"stop-timeout", "TIME", "30s", Sec::process,
   "longest time that requests in progress get at the end",
   set_time<&P::stop_timeout>, kAnyTime},
  {"nice", "N", "", Sec::process, "priority of the workers, from -20, the highest, to 19",
   set_nice, {20, 19}},
  {"rlimit-nofile", "N", "", Sec::process, "files that a worker may have open",
   set_number<&P::rlimit_nofile>, {64, 1'000'000'000}},
  {"rlimit-core", "SIZE", "", Sec::process, "size of a worker's core file, or unlimited",
   set_core_limit, kAnySize},
  {"chroot", "DIR", "", Sec::process, "root directory of the workers",
   set_chroot},
  {"daemonize", "", "no", Sec::process, "go to the background when the applications serve",
   set_flag<&S::daemonize>, {}, kOnce, kGlobal},
  {"pidfile", "PATH", "", Sec::process, "file for the master's pid, there while it serves",
   set_text<&S::pidfile>, {}, kOnce, kGlobal},

  {"log", "WHERE", "stderr", Sec::logs, "stderr, syslog, syslog:FACILITY or the path of a file",
   set_log, {}, kOnce, kGlobal},
  {"log-level", "LEVEL", "notice", Sec::logs, "error, warning, notice, info or debug",
   set_log_level, {}, kOnce, kGlobal},
  {"log-format", "FORM", "text", Sec::logs,
   "text, plain (the application's lines as they are) or json (an object a line)",
   set_log_format, {}, kOnce, kGlobal},
  {"access-log", "WHERE", "off", Sec::logs, "one line a request: off, or as option log",
   set_access_log},
  {"access-format", "FORMAT", "combined", Sec::logs,
   "of these lines: common, combined, json, or Apache's % codes",
   set_access_format},
  {"rotate-size", "SIZE", "0", Sec::logs,
   "rename a log of this size to PATH.1, that one to PATH.2, up to 5; 0: never",
   set_size<&S::rotate_size>, kAnySize, kOnce, kGlobal},

  {"control", "PATH", "off", Sec::operation, "listen for pycgidctl(8) on a Unix socket of this path",
   set_control, {}, kOnce, kGlobal},
  {"debug-params", "", "no", Sec::operation,
   "log the variables of each request as the front sent them and as the application got them",
   set_flag<&P::debug_params>},
  {"status-path", "PATH", "off", Sec::operation,
   "answer requests of PATH with the pool's figures; ?full, ?json, ?openmetrics",
   set_own_page<&P::status_path>},
  {"ping-path", "PATH", "off", Sec::operation, "answer requests of PATH with \"pong\"",
   set_own_page<&P::ping_path>},
};
// clang-format on

}  // namespace

std::span<const OptionRow> option_rows() {
  return kRows;
}

std::string_view section_title(OptionSection section) {
  constexpr std::array<std::string_view, 7> kTitles{
      "Sockets", "Application", "Interpreter states", "Limits", "Process", "Logs", "Operation"};
  return kTitles[static_cast<std::size_t>(section)];
}

}  // namespace pycgid
