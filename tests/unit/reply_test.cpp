// The answer's way from a worker's slot to the front, with a real channel and a target that
// collects.
#include "daemon/gateway/reply.h"

#include "tests/unit/channel_pair.h"

#include <cstdlib>
#include <functional>
#include <string>
#include <unistd.h>

using pycgid::Reply;
using Progress = pycgid::Reply::Progress;
using pyhost::BlockType;

namespace {

class CollectingTarget final : public pycgid::ReplyTarget {
 public:
  void send(std::string_view bytes) override {
    text.append(bytes);
    waiting += bytes.size();
    on_send();
  }
  void send_file(std::shared_ptr<pyhost::UniqueFd> file, std::uint64_t offset,
                 std::uint64_t length) override {
    std::string bytes(static_cast<std::size_t>(length), '\0');
    const ssize_t count =
        ::pread(file->get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    REQUIRE(count == static_cast<ssize_t>(length));
    send(bytes);
  }
  std::uint64_t pending() const override { return waiting; }

  std::string text;
  std::uint64_t waiting = 0;
  std::function<void()> on_send = [] {};
};

struct Fixture {
  Fixture() { ends.take(0); }
  Progress take(std::uint64_t room = 1 << 20) { return reply.take(*ends.gateway, 0, target, room); }
  void head(const std::string& lines) {
    ends.write(0, BlockType::head, lines + "Status: 200 OK\r\n\r\n");
  }
  std::string body() const { return target.text.substr(target.text.find("\r\n\r\n") + 4); }

  ChannelEnds ends;
  Reply reply;
  CollectingTarget target;
};

pyhost::UniqueFd file_with(const std::string& content) {
  char name[] = "/tmp/pycgid-reply-XXXXXX";
  pyhost::UniqueFd file(::mkstemp(name));
  REQUIRE(file);
  ::unlink(name);
  REQUIRE(::write(file.get(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  return file;
}

}  // namespace

TEST_CASE("reply: head, body and end make a complete answer", "[reply]") {
  Fixture f;
  CHECK(f.take() == Progress::waiting);
  f.head("Content-Type: text/plain\r\n");
  CHECK(f.take() == Progress::waiting);
  CHECK(f.target.text.empty());  // W9: the head leaves with the first byte of the body
  f.ends.write(0, BlockType::body, "hello");
  CHECK(f.take() == Progress::waiting);
  CHECK(f.target.text == "Content-Type: text/plain\r\nStatus: 200 OK\r\n\r\nhello");
  f.ends.end(0);
  CHECK(f.take() == Progress::complete);
}

TEST_CASE("reply: an answer without a body sends its head at the end", "[reply]") {
  Fixture f;
  f.head("");
  f.ends.end(0);
  CHECK(f.take() == Progress::complete);
  CHECK(f.target.text == "Status: 200 OK\r\n\r\n");
}

TEST_CASE("W13: more bytes than Content-Length are cut", "[reply]") {
  Fixture f;
  f.head("Content-Length: 3\r\n");
  f.ends.write(0, BlockType::body, "abcdef");
  f.ends.end(0);
  CHECK(f.take() == Progress::complete);
  CHECK(f.body() == "abc");
  CHECK(f.reply.had_surplus());
}

TEST_CASE("W13: fewer bytes than Content-Length cut the answer", "[reply]") {
  Fixture f;
  f.head("Content-Length: 9\r\n");
  f.ends.write(0, BlockType::body, "abc");
  f.ends.end(0);
  CHECK(f.take() == Progress::cut);
  CHECK(f.reply.problem().find("3 bytes of a Content-Length of 9") != std::string::npos);
}

TEST_CASE("W14: the answer to HEAD keeps its head and loses its body", "[reply]") {
  Fixture f;
  f.reply.drop_body();
  f.head("Content-Length: 9\r\n");
  f.ends.write(0, BlockType::body, "abcdefghi");
  f.ends.end(0);
  CHECK(f.take() == Progress::complete);
  CHECK(f.target.text == "Content-Length: 9\r\nStatus: 200 OK\r\n\r\n");
  CHECK(!f.reply.had_surplus());
}

TEST_CASE("W14: 304 has no body, whatever the application sends", "[reply]") {
  Fixture f;
  f.ends.write(0, BlockType::head, "Status: 304 Not Modified\r\n\r\n");
  f.ends.write(0, BlockType::body, "abc");
  f.ends.end(0);
  CHECK(f.take() == Progress::complete);
  CHECK(f.body().empty());
}

TEST_CASE("W14: an answer without a body is whole with its head, before the worker ends it",
          "[reply]") {
  Fixture f;
  SECTION("HEAD") {
    f.reply.drop_body();
    f.head("");
  }
  SECTION("304") {
    f.ends.write(0, BlockType::head, "Status: 304 Not Modified\r\n\r\n");
  }
  CHECK(f.take() == Progress::waiting);
  CHECK(!f.reply.satisfied());
  f.ends.write(0, BlockType::body, "the first of many");
  CHECK(f.take() == Progress::complete);
  CHECK(!f.reply.ended());
  CHECK(f.reply.satisfied());  // so that the worker is told
  CHECK(f.body().empty());
}

TEST_CASE("W13: a worker that goes on behind its Content-Length is not waited for", "[reply]") {
  Fixture f;
  f.head("Content-Length: 3\r\n");
  f.ends.write(0, BlockType::body, "abc");
  CHECK(f.take() == Progress::waiting);
  f.ends.write(0, BlockType::body, "d");
  CHECK(f.take() == Progress::complete);
  CHECK(f.reply.satisfied());
  CHECK(f.reply.had_surplus());
}

TEST_CASE("reply: a worker that writes on and on gets only its part of a turn", "[reply]") {
  Fixture f;
  f.head("");
  std::size_t written = 0;
  const std::string block(60'000, 'x');
  f.target.on_send = [&] {
    written += f.ends.worker->write(0, BlockType::body, block);
    f.ends.worker->publish(0);
  };
  f.target.on_send();
  CHECK(f.take(std::uint64_t{1} << 40) == Progress::more);
  CHECK(f.body().size() <= 400'000);
  f.target.on_send = [] {};
  f.ends.end(0);
  while (f.take(std::uint64_t{1} << 40) == Progress::more) {
  }
  CHECK(f.body().size() == written);
}

TEST_CASE("reply: a failure before the head is answered, after it is cut", "[reply]") {
  SECTION("before") {
    Fixture f;
    f.ends.end(0, pyhost::EndKind::failed);
    CHECK(f.take() == Progress::failed);
    CHECK(!f.reply.started());
  }
  SECTION("after") {
    Fixture f;
    f.head("");
    f.ends.write(0, BlockType::body, "x");
    f.ends.end(0, pyhost::EndKind::failed);
    CHECK(f.take() == Progress::cut);
  }
}

TEST_CASE("reply: nothing is taken while the front has enough pending", "[reply]") {
  Fixture f;
  f.head("");
  f.ends.write(0, BlockType::body, "0123456789");
  f.ends.write(0, BlockType::body, "0123456789");
  CHECK(f.take(5) == Progress::no_room);
  CHECK(f.body() == "0123456789");
  f.target.waiting = 0;
  CHECK(f.take(5) == Progress::no_room);
  CHECK(f.body().size() == 20);
}

TEST_CASE("reply: a body without a head is a violation", "[reply]") {
  Fixture f;
  f.ends.write(0, BlockType::body, "x");
  CHECK(f.take() == Progress::violation);
}

TEST_CASE("reply: an unusable head fails the answer and tells why", "[reply]") {
  Fixture f;
  f.head("X: a\rb\r\n");
  f.ends.write(0, BlockType::body, "x");
  CHECK(f.take() == Progress::failed);
  CHECK(!f.reply.problem().empty());
  CHECK(f.target.text.empty());
}

TEST_CASE("W16: a file goes out in pieces and its end is taken ahead", "[reply]") {
  Fixture f;
  const std::string content(1'500'000, 'q');
  const auto file = file_with("skip" + content);
  f.head("");
  REQUIRE(f.ends.worker->write_file(0, file.get(), {.offset = 4, .length = content.size()}));
  f.ends.end(0);
  CHECK(f.take(1000) == Progress::no_room);
  CHECK(f.reply.ended());  // the slot is not needed any more
  f.target.waiting = 0;
  CHECK(f.reply.resume(f.target, 1000) == Progress::no_room);
  f.target.waiting = 0;
  CHECK(f.reply.resume(f.target, 1000) == Progress::complete);
  CHECK(f.body() == content);
}
