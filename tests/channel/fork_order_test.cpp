// Orders to a template and reports of its workers.
#include "pyhost/fork_order.h"

#include "tests/channel/support.h"
#include "tests/unit/catch.h"

#include <array>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

using namespace pyhost;

namespace {

struct Link : OrderLink {
  Link() { REQUIRE_FALSE(create_order_link(*this)); }

  Received hear() { return receive_forked(master.get(), id, pid); }

  std::uint32_t id = 0;
  pid_t pid = -1;
};

// An order whose descriptors are all the same pipe's writing end.
ForkOrder order_with(UniqueFd& reading_end) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  reading_end.reset(ends[0]);
  const auto copy = [&] { return UniqueFd(::fcntl(ends[1], F_DUPFD_CLOEXEC, 0)); };
  ForkOrder order{7, 3, {copy(), copy(), copy(), {copy(), copy(), UniqueFd(ends[1])}}};
  return order;
}

bool at_end(const UniqueFd& pipe) {
  char byte = 0;
  return ::read(pipe.get(), &byte, 1) == 0;
}

TEST_CASE("fork order: arrives with its descriptors", "[fork_order]") {
  Link link;
  UniqueFd pipe;
  REQUIRE(send_order(link.master.get(), order_with(pipe)));
  ForkOrder order;
  REQUIRE(receive_order(link.workers.get(), order) == Received::message);
  CHECK(order.id == 7);
  CHECK(order.number == 3);
  for (const UniqueFd* fd :
       {&order.side.status, &order.side.output, &order.side.log, &order.side.channel.memory,
        &order.side.channel.bell, &order.side.channel.passing}) {
    CHECK(::write(fd->get(), "x", 1) == 1);
    CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("fork order: one that nobody took leaves no writer behind", "[fork_order]") {
  Link link;
  UniqueFd pipe;
  REQUIRE(send_order(link.master.get(), order_with(pipe)));
  CHECK_FALSE(at_end(pipe));
  link.workers.reset();
  CHECK(at_end(pipe));
  CHECK_FALSE(send_order(link.master.get(), order_with(pipe)));
}

TEST_CASE("fork order: a report names the process that sends it", "[fork_order]") {
  Link link;
  CHECK(link.hear() == Received::nothing);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(send_forked(link.workers.get(), 7) ? 0 : 1);
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  REQUIRE(link.hear() == Received::message);
  CHECK(link.id == 7);
  CHECK(link.pid == child);
}

TEST_CASE("fork order: a link that is closed or misused", "[fork_order]") {
  Link link;
  SECTION("by the master") {
    link.master.reset();
    ForkOrder order;
    CHECK(receive_order(link.workers.get(), order) == Received::closed);
    CHECK_FALSE(send_forked(link.workers.get(), 7));
  }
  SECTION("by the template") {
    link.workers.reset();
    CHECK(link.hear() == Received::closed);
  }
  SECTION("by a report of another size") {
    REQUIRE(::send(link.workers.get(), "12345", 5, 0) == 5);
    CHECK(link.hear() == Received::closed);
  }
  SECTION("by a report with descriptors") {
    UniqueFd pipe;
    // From this side it looks like an order, of eight bytes and five descriptors.
    REQUIRE(send_order(link.workers.get(), order_with(pipe)));
    CHECK(link.hear() == Received::closed);
    if (channel_test::closes_excess_descriptors()) CHECK(at_end(pipe));
  }
}

}  // namespace
