// The master's end of pycgidctl, with a host and a gateway that are played by the test.
#include "daemon/master/control_server.h"

#include "daemon/log.h"
#include "tests/unit/catch.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

class PlayedHost final : public ControlHost {
 public:
  pid_t answering_gateway() const override { return 4711; }
  void ask_gateway(std::uint32_t number, const std::string&) override { asked.push_back(number); }
  DaemonReport own_report(const std::string& problem) const override {
    DaemonReport report{};
    report.problem = problem;
    return report;
  }
  std::string begin_reload(const std::string&) override { return {}; }
  std::optional<ReloadResult> reload_result(const std::string&) const override { return result; }
  std::string reopen_logs() override { return {}; }
  void stop() override {}

  std::vector<std::uint32_t> asked;
  std::optional<ReloadResult> result;
};

// A server in a directory of its own, and a clock that stands still.
struct Fixture {
  Fixture() { set_log_fd(nowhere.get()); }
  ~Fixture() {
    set_log_fd(2);
    server.reset();
    ::rmdir(directory.c_str());
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  static std::string make_directory() {
    std::string name = "/tmp/pycgid-unit-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    return name;
  }

  static Settings settings_for(const std::string& directory) {
    Settings settings;
    settings.control = directory + "/control";
    return settings;
  }

  // A client that has sent this.
  pyhost::UniqueFd client(const std::string& request) {
    pyhost::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(directory + "/control", address.sun_path);
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::send(fd.get(), request.data(), request.size(), 0) ==
            static_cast<ssize_t>(request.size()));
    turn();
    return fd;
  }

  bool is_readable() const {
    pollfd entry{server->fd(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
  }
  void turn() {
    if (is_readable()) server->on_events(now);
    server->advance(now);
  }
  void answer(std::uint32_t number, pyhost::UniqueFd fd) {
    Message message{.type = MessageType::answer, .worker = number};
    message.fds.push_back(std::move(fd));
    server->on_answer(message, now);
    server->advance(now);
  }

  pyhost::UniqueFd nowhere{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  std::string directory = make_directory();
  ControlConnection::TimePoint now{};
  PlayedHost host;
  std::optional<ControlServer> server{std::in_place, settings_for(directory), host};
};

pyhost::UniqueFd memory(const std::string& text, int seals) {
  pyhost::UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  REQUIRE(::fcntl(fd.get(), F_ADD_SEALS, seals) == 0);
  return fd;
}

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

// All that the server has to say, to the end.
std::string all_of(const pyhost::UniqueFd& client) {
  std::string text;
  std::array<char, 4096> chunk;
  ssize_t got = 0;
  while ((got = ::recv(client.get(), chunk.data(), chunk.size(), MSG_DONTWAIT)) > 0) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  CHECK(got == 0);
  return text;
}

TEST_CASE("control: a client that left is forgotten while a child is forked", "[control]") {
  Fixture f;
  pyhost::UniqueFd client = f.client("reload\n");
  // A process between fork and exec has all descriptors.
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  ::shutdown(client.get(), SHUT_RDWR);
  CHECK(f.is_readable());
  f.turn();
  CHECK_FALSE(f.is_readable());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("control: a stuck gateway is asked a few questions, not all", "[control]") {
  Fixture f;
  std::vector<pyhost::UniqueFd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(f.client("ping\n"));
  CHECK(f.host.asked.size() == 16);
  f.answer(f.host.asked.front(), memory("", kSeals));
  CHECK(all_of(clients.front()) == "ok 5\npong\n");
  CHECK(f.host.asked.size() == 17);
  f.now += 4s;
  f.turn();
  CHECK(all_of(clients.back()) == "no 50\nthe gateway, pid 4711, has not answered within 4s\n");
}

TEST_CASE("control: what a gateway might still change is not passed on", "[control]") {
  Fixture f;
  const pyhost::UniqueFd client = f.client("status table\n");
  SECTION("sealed memory is") {
    f.answer(f.host.asked.back(), memory("a table\n", kSeals));
    CHECK(all_of(client) == "ok 8\na table\n");
  }
  SECTION("memory that can be written") {
    f.answer(f.host.asked.back(), memory("a table\n", F_SEAL_SHRINK | F_SEAL_GROW));
    CHECK(all_of(client).find("the gateway's answer is no text") != std::string::npos);
  }
  SECTION("a file") {
    f.answer(f.host.asked.back(), pyhost::UniqueFd(::open("/proc/self/stat", O_RDONLY)));
    CHECK(all_of(client).find("the gateway's answer is no text") != std::string::npos);
  }
}

TEST_CASE("control: the outcome of a reload is told when the gateway knows it", "[control]") {
  Fixture f;
  const pyhost::UniqueFd client = f.client("reload blog\n");
  f.turn();
  CHECK(f.host.asked.empty());
  f.host.result = ReloadResult{false, "why\n"};
  f.turn();
  REQUIRE(f.host.asked.size() == 1);
  SECTION("by its answer") {
    f.answer(1, memory("", kSeals));
  }
  SECTION("or when it does not answer") {
    f.now += 4s;
    f.turn();
  }
  CHECK(all_of(client) == "no 4\nwhy\n");
}

}  // namespace
