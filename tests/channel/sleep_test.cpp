// What a sleeping gateway is woken for, and which sleeping threads wake each other.
#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace pyhost;
using namespace channel_test;

namespace {

// A gateway and one thread of its worker, which has taken `taken` of `queued` requests.
struct Sleeper {
  Sleeper(std::uint32_t queued, std::uint32_t taken) : ends({8, 64, 256, 256}) {
    for (std::uint32_t slot = 0; slot < queued; ++slot) submit(*ends.gateway, slot, "");
    for (std::uint32_t slot = 0; slot < taken; ++slot) REQUIRE(intake.try_take());
  }

  bool rang() const {
    pollfd bell{ends.gateway->bell_fd(), POLLIN, 0};
    return ::poll(&bell, 1, 0) == 1;
  }
  void answer(std::uint32_t slot) {
    ends.worker->write_end(slot, EndKind::complete);
    ends.worker->publish(slot);
  }

  Ends ends;
  Intake intake{*ends.worker};
};

// From now on this process is told that the system has no such call. False in an emulator, which
// has no filters.
bool forbid_preadv2() {
  std::array<sock_filter, 4> rules{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),  // the call's number
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_preadv2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  sock_fprog program{rules.size(), rules.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

}  // namespace

TEST_CASE("sleep: the bell is emptied by systems without preadv2, too", "[channel]") {
  Child child([] {
    const bool refused =
        !forbid_preadv2() ||
        (::syscall(SYS_preadv2, -1, nullptr, 0L, 0L, 0L, 0) < 0 && errno == ENOSYS);
    Sleeper s(1, 1);
    const bool asleep = s.ends.gateway->prepare_sleep(Sleep::until_event);
    s.ends.worker->finish(0);
    const bool rang = s.rang();
    s.ends.gateway->woke();
    ::_exit(refused && asleep && rang && !s.rang() ? 0 : 1);
  });
  CHECK(child.wait() == 0);
}

TEST_CASE("sleep: until an answer comes, the end of a request does not wake", "[channel]") {
  Sleeper s(2, 2);
  REQUIRE(s.ends.gateway->prepare_sleep(Sleep::until_answer));
  s.ends.worker->finish(0);
  CHECK(!s.rang());
  s.answer(1);
  CHECK(s.rang());
  s.ends.gateway->woke();
  GatewayEnd::ReadySet ready;
  REQUIRE(s.ends.gateway->take_ready(ready));
  CHECK(ready[0] == 3);
}

TEST_CASE("sleep: until an event, the end of a request wakes", "[channel]") {
  Sleeper s(1, 1);
  REQUIRE(s.ends.gateway->prepare_sleep(Sleep::until_event));
  s.ends.worker->finish(0);
  CHECK(s.rang());
}

TEST_CASE("sleep: a nap lasts while enough requests are queued", "[channel]") {
  Sleeper s(6, 2);
  REQUIRE(s.ends.gateway->prepare_sleep(Sleep::nap, 3));
  s.answer(0);
  s.ends.worker->finish(0);
  CHECK(!s.rang());
  REQUIRE(s.intake.try_take());
  s.answer(1);
  CHECK(s.rang());
}

TEST_CASE("sleep: a thread that waits for the gateway ends every sleep", "[channel]") {
  for (const Sleep sleep : {Sleep::until_event, Sleep::until_answer, Sleep::nap}) {
    Sleeper s(6, 1);
    s.ends.gateway->write_body(0, pattern(256));
    REQUIRE(s.ends.gateway->prepare_sleep(sleep));
    std::string half(128, ' ');
    CHECK(s.ends.worker->read_body(0, half) == 128);
    CHECK(s.rang());
  }
}

TEST_CASE("sleep: a thread wakes another for queued requests, unless told not to", "[channel]") {
  for (const bool yes : {true, false}) {
    Sleeper s(0, 0);
    s.ends.gateway->wake_for_each(yes);
    std::atomic<bool> woken{false};
    std::thread other([&] { woken = Intake(*s.ends.worker).park(); });
    CHECK(eventually([&] { return s.ends.gateway->sleepers() == 1; }));
    s.ends.gateway->post(0, {});
    s.ends.gateway->post(1, {});
    const std::uint32_t calls = s.ends.memory->board().gate.calls();
    CHECK(s.intake.try_take());
    // The number of calls is above bit 0.
    CHECK((s.ends.memory->board().gate.calls() >> 1 != calls >> 1) == yes);
    const auto queue = s.ends.gateway->queue();
    CHECK((queue.taken == 1 && queue.waiting == 1));
    if (yes) CHECK(eventually([&] { return woken.load(); }));
    s.ends.gateway->stop();
    other.join();
  }
}
