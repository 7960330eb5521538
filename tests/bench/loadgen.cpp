// loadgen: a FastCGI and SCGI load generator that prints what it measured as one line of JSON.
// tests/bench/run starts it; `loadgen --help` lists the options.
#include "tests/bench/engine.h"
#include "tests/bench/wire.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <getopt.h>
#include <netdb.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

constexpr int kUsage = 64;

constexpr const char* kHelp =
    "usage: loadgen [options] ADDRESS\n"
    "ADDRESS is unix:/path or HOST:PORT.\n"
    "  --protocol fcgi|scgi  default fcgi\n"
    "  --connections N       at once; default 32\n"
    "  --keep                keep FastCGI connections (FCGI_KEEP_CONN)\n"
    "  --seconds S           how long; default 4\n"
    "  --requests N          how many, instead of how long\n"
    "  --path PATH           default /\n"
    "  --body N              POST a body of N bytes\n"
    "  --expect N            bytes of each answer's body; default: as many as the first has\n"
    "  --hold                at the end keep the connections until standard input ends\n";

struct Options {
  bench::RequestShape shape;
  bench::Plan plan;
  bool hold = false;
};

std::optional<bench::Target> parse_unix(std::string_view path) {
  bench::Target target;
  auto* address = reinterpret_cast<sockaddr_un*>(&target.address);
  if (path.empty() || path.size() >= sizeof(address->sun_path)) return std::nullopt;
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path.data(), path.size());
  target.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return target;
}

std::optional<bench::Target> parse_target(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (text.substr(0, kUnix.size()) == kUnix) return parse_unix(text.substr(kUnix.size()));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string host(text.substr(0, colon));
  const std::string port(text.substr(colon + 1));
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return std::nullopt;
  bench::Target target;
  memcpy(&target.address, found->ai_addr, found->ai_addrlen);
  target.length = found->ai_addrlen;
  freeaddrinfo(found);
  return target;
}

bool apply(Options& options, int option, const char* value) {
  switch (option) {
    case 'p':
      if (std::string_view(value) == "scgi") options.shape.protocol = bench::Protocol::scgi;
      return std::string_view(value) == "scgi" || std::string_view(value) == "fcgi";
    case 'c':
      options.plan.connections = strtoul(value, nullptr, 10);
      return options.plan.connections > 0;
    case 'k':
      options.shape.keep = true;
      return true;
    case 's':
      options.plan.seconds = strtod(value, nullptr);
      return options.plan.seconds > 0;
    case 'n':
      options.plan.requests = strtoull(value, nullptr, 10);
      return options.plan.requests > 0;
    case 'u':
      options.shape.path = value;
      return true;
    case 'b':
      options.shape.body_bytes = strtoul(value, nullptr, 10);
      return true;
    case 'e':
      options.plan.expected_bytes = strtoull(value, nullptr, 10);
      return true;
    case 'H':
      options.hold = true;
      return true;
    default:
      return false;
  }
}

constexpr std::array<option, 10> kOptions{{{"protocol", required_argument, nullptr, 'p'},
                                           {"connections", required_argument, nullptr, 'c'},
                                           {"keep", no_argument, nullptr, 'k'},
                                           {"seconds", required_argument, nullptr, 's'},
                                           {"requests", required_argument, nullptr, 'n'},
                                           {"path", required_argument, nullptr, 'u'},
                                           {"body", required_argument, nullptr, 'b'},
                                           {"expect", required_argument, nullptr, 'e'},
                                           {"hold", no_argument, nullptr, 'H'},
                                           {nullptr, 0, nullptr, 0}}};

std::optional<Options> parse_options(int argc, char** argv) {
  Options options;
  options.plan.seconds = 4;
  for (;;) {
    const int option = getopt_long(argc, argv, "", kOptions.data(), nullptr);
    if (option == -1) break;
    if (!apply(options, option, optarg)) return std::nullopt;
  }
  if (optind + 1 != argc) return std::nullopt;
  const auto target = parse_target(argv[optind]);
  if (!target) return std::nullopt;
  options.plan.target = *target;
  options.plan.protocol = options.shape.protocol;
  options.plan.keep = options.shape.keep && options.shape.protocol == bench::Protocol::fastcgi;
  options.plan.request = bench::encode_request(options.shape);
  return options;
}

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void print(const bench::Result& result) {
  const auto micros = [&](double fraction) {
    return static_cast<double>(result.latency.quantile(fraction)) / 1e3;
  };
  printf("{\"answers\": %llu, \"errors\": %llu, \"first_error\": \"%s\", \"seconds\": %.6f, ",
         static_cast<unsigned long long>(result.answers),
         static_cast<unsigned long long>(result.errors), result.first_error.c_str(),
         result.seconds);
  printf("\"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, ",
         static_cast<double>(result.answers) / result.seconds, micros(0.5), micros(0.99));
  printf("\"body_bytes\": %llu, \"own_cpu_seconds\": %.6f}\n",
         static_cast<unsigned long long>(result.body_bytes), own_cpu_seconds());
  fflush(stdout);
}

void wait_for_end_of_input() {
  std::array<char, 64> ignored{};
  while (read(STDIN_FILENO, ignored.data(), ignored.size()) > 0) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options) {
    fputs(kHelp, stderr);
    return kUsage;
  }
  raise_descriptor_limit();
  bench::Engine engine(options->plan);
  const bench::Result result = engine.run();
  print(result);
  if (options->hold) wait_for_end_of_input();
  return result.errors == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
