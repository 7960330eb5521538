// What a gateway that was taken over can do to the master by talking: nothing else has to wait.
#include "daemon/master/message_reader.h"

#include "tests/unit/catch.h"

#include <array>
#include <poll.h>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace {

using namespace pycgid;

// A real link whose other end says something more whenever something was read.
class Flood {
 public:
  Flood() { REQUIRE(speak()); }

  int read_turn(MessageReader& reader) {
    int count = 0;
    reader.read([this](Message& message) { return hear(message); },
                [&](Message& message) {
                  ++count;
                  CHECK(message.type == MessageType::pong);
                  if (!silent) REQUIRE(speak());
                });
    return count;
  }
  bool speak() { return ends_.second.send({.type = MessageType::pong}); }
  bool hear(Message& message) { return ends_.first.receive(message) == Link::Received::message; }
  int fd() const { return ends_.first.fd(); }

  bool silent = false;

 private:
  std::pair<Link, Link> ends_ = Link::create();
};

TEST_CASE("message reader: a gateway that floods the link gets its share of a turn", "[master]") {
  Flood flood;
  MessageReader reader;
  std::array<int, 2> others{};
  REQUIRE(::pipe(others.data()) == 0);
  for (int turn = 0; turn < 5; ++turn) {
    REQUIRE(::write(others[1], "x", 1) == 1);
    std::array<pollfd, 2> entries{{{flood.fd(), POLLIN, 0}, {others[0], POLLIN, 0}}};
    REQUIRE(::poll(entries.data(), entries.size(), reader.has_more() ? 0 : 1000) == 2);
    CHECK(flood.read_turn(reader) == MessageReader::kMostAtOnce);
    CHECK(reader.has_more());
    char byte = 0;
    CHECK(::read(others[0], &byte, 1) == 1);
  }
  flood.silent = true;
  CHECK(flood.read_turn(reader) == 1);
  CHECK_FALSE(reader.has_more());
  for (int fd : others) ::close(fd);
}

TEST_CASE("message reader: all that a link holds is read in one turn", "[master]") {
  auto [master, gateway] = Link::create();
  int held = 0;
  for (pollfd room{gateway.fd(), POLLOUT, 0}; ::poll(&room, 1, 0) == 1; ++held) {
    REQUIRE(gateway.send({.type = MessageType::pong}));
  }
  int read = 0;
  MessageReader reader;
  reader.read([&, &link = master](
                  Message& message) { return link.receive(message) == Link::Received::message; },
              [&](Message&) { ++read; });
  CHECK(read == held);
  CHECK_FALSE(reader.has_more());
}

TEST_CASE("message reader: what cannot be taken does not end the reading", "[master]") {
  Flood flood;
  MessageReader reader;
  const auto hear = [&](Message& message) { return flood.hear(message); };
  REQUIRE(flood.speak());
  CHECK_THROWS(reader.read(hear, [](Message&) { throw std::runtime_error("no memory"); }));
  CHECK(reader.has_more());
  flood.silent = true;
  CHECK(flood.read_turn(reader) == 1);
}

}  // namespace
