#include "daemon/gateway/poller.h"

#include "tests/unit/catch.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <sys/epoll.h>
#include <unistd.h>

using namespace pycgid;
using std::chrono::microseconds;
using std::chrono::steady_clock;

namespace {

struct Nobody final : Watched {
  void on_events(std::uint32_t) override {}
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  pyhost::UniqueFd out;
  pyhost::UniqueFd in;
};

}  // namespace

TEST_CASE("poller: waits for parts of a millisecond", "[gateway]") {
  const Pipe pipe;
  Nobody nobody;
  Poller poller;
  REQUIRE(poller.add(pipe.out.get(), EPOLLIN, nobody));
  const auto start = steady_clock::now();
  if (poller.wait(microseconds(300))) {
    CHECK(steady_clock::now() - start >= microseconds(300));
  } else {
    // Emulators, and kernels before 5.11.
    CHECK(errno == ENOSYS);
  }
}
