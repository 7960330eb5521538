// The wire between master and gateway: whole messages with their descriptors, and a clean end.
#include "daemon/link.h"

#include "tests/unit/catch.h"

#include <array>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace pycgid;

TEST_CASE("link: a message arrives whole", "[link]") {
  auto [master, gateway] = Link::create();
  Message sent;
  sent.type = MessageType::worker_started;
  sent.worker = 7;
  sent.pid = 4711;
  sent.pool = 1;
  sent.generation = 3;
  sent.count = 12;
  sent.text = "blog/2";
  REQUIRE(master.send(sent));
  Message got;
  REQUIRE(gateway.receive(got) == Link::Received::message);
  CHECK(got.type == MessageType::worker_started);
  CHECK(got.worker == 7);
  CHECK(got.pid == 4711);
  CHECK(got.pool == 1);
  CHECK(got.generation == 3);
  CHECK(got.count == 12);
  CHECK(got.text == "blog/2");
  CHECK(got.fds.empty());
}

TEST_CASE("link: a message that meets a full table of open files loses its descriptors", "[link]") {
  auto [master, gateway] = Link::create();
  Message sent;
  sent.type = MessageType::worker_started;
  for (int i = 0; i < 2; ++i) sent.fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(master.send(sent));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit full{static_cast<rlim_t>(sent.fds.back().get()) + 2, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &full) == 0);
  Message got;
  const Link::Received received = gateway.receive(got);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(received == Link::Received::message);
  CHECK(got.fds.empty());
}

TEST_CASE("link: descriptors travel with their message, in order", "[link]") {
  auto [master, gateway] = Link::create();
  std::array<int, 2> fds{};
  REQUIRE(::pipe(fds.data()) == 0);
  Message sent;
  sent.type = MessageType::worker_ready;
  sent.fds.emplace_back(fds[0]);
  sent.fds.emplace_back(fds[1]);
  REQUIRE(master.send(sent));
  Message got;
  REQUIRE(gateway.receive(got) == Link::Received::message);
  REQUIRE(got.fds.size() == 2);
  CHECK((fcntl(got.fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  REQUIRE(::write(got.fds[1].get(), "x", 1) == 1);
  char byte = 0;
  CHECK(::read(fds[0], &byte, 1) == 1);
  CHECK(byte == 'x');
}

TEST_CASE("link: messages keep their borders and their order", "[link]") {
  auto [master, gateway] = Link::create();
  for (std::uint32_t worker = 1; worker <= 3; ++worker) {
    Message message;
    message.type = MessageType::worker_exited;
    message.worker = worker;
    REQUIRE(master.send(message));
  }
  for (std::uint32_t worker = 1; worker <= 3; ++worker) {
    Message got;
    REQUIRE(gateway.receive(got) == Link::Received::message);
    CHECK(got.worker == worker);
  }
  Message none;
  CHECK(gateway.receive(none) == Link::Received::nothing);
}

TEST_CASE("link: a text that is too long is cut", "[link]") {
  auto [master, gateway] = Link::create();
  Message sent;
  sent.text = std::string(10'000, 'x');
  REQUIRE(gateway.send(sent));
  Message got;
  REQUIRE(master.receive(got) == Link::Received::message);
  CHECK(got.text == std::string(4096, 'x'));
}

TEST_CASE("link: the end of the other side is seen, after its last message", "[link]") {
  auto [master, gateway] = Link::create();
  Message last;
  last.type = MessageType::drained;
  REQUIRE(gateway.send(last));
  gateway.close();
  Message got;
  CHECK(master.receive(got) == Link::Received::message);
  CHECK(master.receive(got) == Link::Received::closed);
  CHECK_FALSE(master.send(last));
}

TEST_CASE("link: a packet that is no message breaks the link", "[link]") {
  auto [master, gateway] = Link::create();
  REQUIRE(::send(gateway.fd(), "x", 1, 0) == 1);
  Message got;
  CHECK(master.receive(got) == Link::Received::closed);
}

TEST_CASE("link: a message type that does not exist breaks the link", "[link]") {
  auto [master, gateway] = Link::create();
  const std::array<std::uint32_t, 5> header{99, 0, 0, 0, 0};
  REQUIRE(::send(gateway.fd(), header.data(), sizeof header, 0) == sizeof header);
  Message got;
  CHECK(master.receive(got) == Link::Received::closed);
}

TEST_CASE("link: sending to a side that never reads gives up", "[link]") {
  auto [master, gateway] = Link::create();
  Message message;
  message.text = std::string(4096, 'x');
  bool sent = true;
  for (int i = 0; i < 10'000 && sent; ++i) sent = master.send(message);
  CHECK_FALSE(sent);
}

}  // namespace
