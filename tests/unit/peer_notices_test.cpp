// What peers cause to be logged: at once, and then once a second for each cause.
#include "daemon/gateway/peer_notices.h"

#include "daemon/text.h"
#include "tests/unit/captured_log.h"

#include <string>
#include <string_view>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

struct Said {
  Said() { pool.name = "blog"; }
  void happens(std::string_view why, std::string_view what = "answered 400",
               LogLevel level = LogLevel::notice) {
    if (notices.is_due({level, what, why})) log_line(level, pool.name, concat("said: ", why));
  }
  // The text of the lines since the last call, each after its object.
  std::string text() {
    const std::string lines = log.text();
    std::string texts;
    for (std::size_t at = 0; (at = lines.find(" blog: ", at)) != std::string::npos;) {
      at += 7;
      texts += lines.substr(at, lines.find('\n', at) - at) + "\n";
    }
    return texts;
  }
  void pass(std::chrono::milliseconds time) { loop.timers().advance(now += time); }

  EventLoop loop;
  PoolSettings pool;
  PeerNotices notices{loop, pool};
  CapturedLog log{LogLevel::info};
  Clock::time_point now = loop.now();
};

TEST_CASE("peer notices: a flood is one line a second, with the number of the others",
          "[gateway]") {
  Said said;
  for (int i = 0; i < 517; ++i) said.happens("not a header");
  CHECK(said.text() == "said: not a header\n");
  said.pass(900ms);
  CHECK(said.text().empty());
  said.pass(200ms);
  CHECK(said.text() == "answered 400: 516 more in the last second: not a header\n");
  said.happens("not a header");
  CHECK(said.text().empty());
  said.pass(1100ms);
  CHECK(said.text() == "answered 400: 1 more in the last second: not a header\n");
  said.pass(1100ms);
  CHECK(said.text().empty());
  said.happens("not a header");
  CHECK(said.text() == "said: not a header\n");
}

TEST_CASE("peer notices: each cause has its own line, whatever the numbers in it", "[gateway]") {
  Said said;
  said.happens("its body ended after 5 of 10 bytes");
  said.happens("its body ended after 17 of 4711 bytes");
  said.happens("not a header");
  said.happens("not a header", "connections closed");
  CHECK(said.text() ==
        "said: its body ended after 5 of 10 bytes\nsaid: not a header\nsaid: not a header\n");
}

TEST_CASE("peer notices: details are told one by one to who asks for them", "[gateway]") {
  Said said;
  for (int i = 0; i < 2; ++i) said.happens("the queue is full", "answered 503", LogLevel::info);
  CHECK(said.text() == "said: the queue is full\nsaid: the queue is full\n");
}

TEST_CASE("peer notices: even causes that have no end are bounded", "[gateway]") {
  Said said;
  std::string why;
  int due = 0;
  const auto happens = [&] {
    if (said.notices.is_due({LogLevel::notice, "answered 400", why += 'x'})) ++due;
  };
  for (int i = 0; i < 1000; ++i) happens();
  CHECK(due == 64);
  said.pass(1100ms);
  const std::string told = said.text();
  CHECK(told ==
        "936 more in the last second, of too many causes to tell each; the last: answered "
        "400: " +
            why + "\n");
  said.pass(1100ms);
  happens();
  CHECK(due == 65);
}

TEST_CASE("peer notices: the others of a second are told of with what was the matter last",
          "[gateway]") {
  Said said;
  said.happens("CONTENT_LENGTH 777777 is above option \"max-body\"", "answered 413");
  said.pass(2500ms);
  CHECK(!said.text().empty());
  for (const char* length : {"200", "201", "202"}) {
    said.happens(concat("CONTENT_LENGTH ", length, " is above option \"max-body\""),
                 "answered 413");
  }
  CHECK(said.text() == "said: CONTENT_LENGTH 200 is above option \"max-body\"\n");
  said.pass(1100ms);
  CHECK(said.text() ==
        "answered 413: 2 more in the last second: CONTENT_LENGTH 202 is above option "
        "\"max-body\"\n");
}

TEST_CASE("peer notices: what is counted is told of when the pool ends", "[gateway]") {
  Said said;
  {
    PeerNotices notices(said.loop, said.pool);
    for (int i = 0; i < 3; ++i) {
      if (notices.is_due({LogLevel::warning, "connections closed", "not FastCGI"})) continue;
    }
    CHECK(said.text().empty());
  }
  CHECK(said.text() == "connections closed: 2 more in the last second: not FastCGI\n");
}

}  // namespace
