// What the administrator asked for, after parsing and range checks: plain values, filled by
// option_table.cpp alone, read by everybody. Times are milliseconds, sizes bytes.
// (The namespace is "pycgid" and not "daemon" because <unistd.h> declares a function daemon().)
#pragma once

#include "daemon/option_places.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pycgid {

class LibexecFiles;

using Milliseconds = std::chrono::milliseconds;

enum class Protocol { fastcgi, scgi, control };

struct Address {
  enum class Kind { unix_path, unix_abstract, tcp, inherited_fd, systemd };
  Kind kind = Kind::unix_path;
  Protocol protocol = Protocol::fastcgi;
  std::string path;        // unix_path, unix_abstract (without the "@")
  std::string name;        // systemd: of the descriptors; empty: not given
  std::string host;        // tcp: an address or "*"
  std::uint16_t port = 0;  // tcp
  int fd = -1;             // inherited_fd; systemd, once it was found
  std::string missing;     // systemd: why no descriptor was found
  bool tls = false;        // tcp
  std::string text;        // as the administrator wrote it, for messages
  OptionPlaces places{};   // of the option that named it

  bool operator==(const Address&) const = default;
};

// A file that the configuration names, and where it does so ("pycgid.conf:12"; empty: on the
// command line). The place makes no difference to what is in force.
struct NamedFile {
  std::string path;
  std::string where;

  bool operator==(const NamedFile& other) const { return path == other.path; }
};

enum class LogLevel { error, warning, notice, info, debug };
enum class LogFormat { text, plain, json };

// Of a size that has no limit.
constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

// One application: its sockets, user, workers and limits.
struct PoolSettings {
  std::string name;
  std::string app;
  std::vector<Address> addresses;
  unsigned socket_mode = 0660;
  std::string socket_user;
  std::string socket_group;
  NamedFile tls_certificate;
  NamedFile tls_key;
  NamedFile tls_client_ca;

  std::string chdir;
  std::vector<std::string> pythonpath;
  std::string mount;
  bool path_info_from_front = false;
  std::string python = "python3";
  std::string venv;
  std::vector<std::string> env;  // NAME=VALUE
  bool clear_env = false;
  bool preload = false;
  std::vector<std::string> warmup;  // paths
  std::string on_start;             // for the shell; empty: nothing
  std::string on_exit;              // likewise

  unsigned processes_min = 1;  // with fewer than processes_max, they come and go with the load
  unsigned processes_max = 1;
  unsigned threads = 4;

  std::uint64_t max_queue = 1000;
  Milliseconds queue_timeout{30'000};
  std::uint64_t max_params = 256ULL * 1024;
  std::uint64_t max_body = std::uint64_t{1} << 30;
  std::uint64_t body_buffer = 1 << 20;
  bool request_buffering = true;
  std::uint64_t response_buffer = 1 << 20;
  std::uint64_t max_requests = 0;  // this and the next three: 0 is off
  std::uint64_t max_requests_jitter = 0;
  std::uint64_t max_rss = 0;
  Milliseconds max_lifetime{0};
  Milliseconds params_timeout{10'000};
  Milliseconds body_timeout{60'000};
  Milliseconds send_timeout{60'000};
  Milliseconds keep_timeout{75'000};
  Milliseconds request_timeout{0};  // 0: none
  Milliseconds slow_request{0};     // 0: none
  std::string slow_log;             // a path; empty: the error log

  std::string status_path;  // empty: off
  std::string ping_path;    // empty: off

  std::string user;
  std::string group;
  std::optional<unsigned> umask;
  std::optional<int> nice;
  std::optional<std::uint64_t> rlimit_nofile;
  std::optional<std::uint64_t> rlimit_core;  // kUnlimited: none
  std::string chroot;                        // empty: none
  bool allow_root = false;
  Milliseconds start_timeout{60'000};
  Milliseconds stop_timeout{30'000};

  std::string access_log;  // as Settings::log; empty: off
  std::string access_format = "combined";
  bool debug_params = false;

  OptionPlaces places;

  bool operator==(const PoolSettings&) const = default;
};

struct Settings {
  std::vector<PoolSettings> pools;
  std::string user;   // the gateway's
  std::string group;  // the gateway's
  int backlog = 4096;
  std::vector<std::string> allow_peer;  // CIDR; empty: everybody
  std::uint64_t max_connections = 10'000;
  std::string temp_dir = "/tmp";
  bool daemonize = false;
  std::string pidfile;         // empty: none
  std::string log = "stderr";  // or "syslog", "syslog:FACILITY", a path
  LogLevel log_level = LogLevel::notice;
  LogFormat log_format = LogFormat::text;
  std::uint64_t rotate_size = 0;          // of logs; 0: off
  std::string control;                    // path of pycgidctl's socket; empty: off
  std::string libexec_dir;                // where boot.py and the pyhost modules are
  LibexecFiles* libexec_files = nullptr;  // not owned: these as they were at start
  std::string start_dir;                  // what paths are relative to, see start_directory.h

  OptionPlaces places;

  bool operator==(const Settings&) const = default;
};

}  // namespace pycgid
