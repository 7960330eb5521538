// start_response and the blocks of the answer (PEP 3333).
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

using pyhost::BodyMode;
using pyhost_test::Answer;
using pyhost_test::Request;
using pyhost_test::Worker;

namespace {

Request with_query(const std::string& path, const std::string& query) {
  return {.path = path + "?" + query, .variables = {{"QUERY_STRING", query}}};
}

bool has_first_line(const Answer& answer) {
  return answer.body.ends_with("first");
}

}  // namespace

TEST_CASE("start_response: Status is the last line of the head", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/one"});
  CHECK(answer.head == "Content-Type: text/plain\r\nContent-Length: 9\r\nStatus: 200 OK\r\n\r\n");
  CHECK(answer.body == "one block");
  CHECK(answer.blocks == 1);
  CHECK(answer.ended);
  CHECK(!answer.failed);
}

TEST_CASE("start_response: W7: a second call without exc_info", "[pyhost]") {
  Worker worker;
  CHECK(worker.ask({.path = "/again"}).body ==
        "start_response was called a second time, and without exc_info");
}

TEST_CASE("start_response: W7: exc_info replaces a head that has not left", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/replaced"});
  CHECK(answer.header("Status") == "Status: 500 Replaced");
  CHECK(answer.header("X-First").empty());
  CHECK(answer.body == "replaced");
}

TEST_CASE("start_response: W7: exc_info is raised again when the head has left", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/raised_again"});
  CHECK(answer.header("Status") == "Status: 200 OK");
  CHECK(answer.body == "sent");
  CHECK(answer.failed);
  worker.wait_log("ValueError: the original");
}

TEST_CASE("start_response: W7: exc_info is not kept", "[pyhost]") {
  Worker worker;
  CHECK(worker.ask({.path = "/exc_info_released"}).body == "released");
}

TEST_CASE("start_response: W8: refuses what must not be in a head", "[pyhost]") {
  Worker worker;
  for (const std::string arguments : {"b'200 OK',[]",
                                      "'OK',[]",
                                      "'099 Low',[]",
                                      "'200 O\\rK',[]",
                                      "'200 \\u20ac',[]",
                                      "'200 OK',()",
                                      "'200 OK',None",
                                      "'200 OK',[['X','b']]",
                                      "'200 OK',[('X','b','c')]",
                                      "'200 OK',[(b'X','b')]",
                                      "'200 OK',[('X Y','b')]",
                                      "'200 OK',[('','b')]",
                                      "'200 OK',[('X:','b')]",
                                      "'200 OK',[('\\u20ac','b')]",
                                      "'200 OK',[('X',b'b')]",
                                      "'200 OK',[('X',None)]",
                                      "'200 OK',[('X','a\\r\\nEvil: 1')]",
                                      "'200 OK',[('X','a\\n')]",
                                      "'200 OK',[('X','\\0')]",
                                      "'200 OK',[('X','\\x7f')]",
                                      "'200 OK',[('X','\\u20ac')]",
                                      "'200 OK',[('Status','404')]",
                                      "'200 OK',[('Content-Length','-1')]",
                                      "'200 OK',[('Content-Length','')]",
                                      "'200 OK',[('Content-Length','1'),('content-length','1')]",
                                      "'200 OK',[],'no exc_info'",
                                      "'200 OK',[],(None,None)"}) {
    const Answer answer = worker.ask(with_query("/started", arguments));
    CHECK(answer.body.starts_with("refused: "));
    CHECK(answer.header("Status") == "Status: 200 OK");
    if (!answer.body.starts_with("refused: ")) CHECK(arguments.empty());  // names it
  }
}

TEST_CASE("start_response: W8: takes what may be in a head", "[pyhost]") {
  Worker worker;
  const Answer answer =
      worker.ask(with_query("/started", "'404 ',[('X-A','caf\\xe9'),('X-A',''),('x_b~','\\x80')]"));
  CHECK(answer.head ==
        "X-A: caf\xE9\r\nX-A: \r\nx_b~: \x80\r\nContent-Length: 8\r\nStatus: 404 \r\n\r\n");
  CHECK(answer.body == "accepted");
}

TEST_CASE("start_response: W8: leaves to the gateway what it drops or completes", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask(
      with_query("/started",
                 "'200',[('Connection','close'),('X-A','a\\tb'),('TRANSFER-encoding','chunked')]"));
  CHECK(answer.head ==
        "Connection: close\r\nX-A: a\tb\r\nTRANSFER-encoding: chunked\r\nContent-Length: 8\r\n"
        "Status: 200\r\n\r\n");
  CHECK(answer.body == "accepted");
}

TEST_CASE("start_response: W10: never called", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/never_started"});
  CHECK(answer.head.empty());
  CHECK(answer.failed);
  worker.wait_log("AssertionError: the application never called start_response");
}

TEST_CASE("start_response: W10: a block before it", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/block_first"});
  CHECK(answer.head.empty());
  CHECK(answer.failed);
  worker.wait_log("AssertionError: the application yielded a block before it called");
  worker.wait_log("closed");
}

TEST_CASE("start_response: W10: called by the first step of a generator", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/lazy"});
  CHECK(answer.header("Status") == "Status: 201 Lazy");
  CHECK(answer.body == "lazy");
}

TEST_CASE("start_response: of no use after its request", "[pyhost]") {
  Worker worker;
  CHECK(worker.ask({.path = "/keeps"}).body == "kept");
  CHECK(worker.ask({.path = "/uses_kept"}).body ==
        "RuntimeError RuntimeError ValueError ValueError");
}

TEST_CASE("blocks: W11: one is seen before the next is made", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/stepwise", .mode = BodyMode::ring});
  const Answer first = worker.wait(slot, has_first_line);
  CHECK(first.header("Status") == "Status: 200 OK");
  CHECK(!first.ended);
  worker.gateway().write_body(slot, "second\n");
  worker.gateway().end_body(slot, true);
  CHECK(worker.finish(slot).body == "firstsecond\n");
}

TEST_CASE("blocks: W11: a list of several, an empty one among them", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/many"});
  CHECK(answer.body == "abc");
  CHECK(answer.blocks == 3);
  CHECK(answer.header("Content-Length").empty());
}

TEST_CASE("blocks: none at all", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask({.path = "/none"});
  CHECK(answer.head == "Content-Type: text/plain\r\nStatus: 200 OK\r\n\r\n");
  CHECK(answer.body.empty());
  CHECK(!answer.failed);
}

TEST_CASE("blocks: W13: an iterable of length one gets a Content-Length", "[pyhost]") {
  Worker worker;
  CHECK(worker.ask({.path = "/lengthy"}).header("Content-Length") == "Content-Length: 4");
  CHECK(worker.ask({.path = "/one", .method = "HEAD"}).header("Content-Length") ==
        "Content-Length: 9");
}

TEST_CASE("blocks: W13, W14: no Content-Length where the status has no body", "[pyhost]") {
  Worker worker;
  for (const std::string status : {"204", "304", "101"}) {
    CHECK(worker.ask(with_query("/without_body", status)).head ==
          "Status: " + status + " Status\r\n\r\n");
  }
}

TEST_CASE("blocks: W13: what is beyond the Content-Length is cut and logged", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask(with_query("/declared", "7"));
  CHECK(answer.body == "0123456");
  CHECK(!answer.failed);
  worker.wait_log(
      "\x01"
      "Etest-1\x01GET /declared?7: the response is longer than its "
      "Content-Length, cut\n");
  worker.wait_log("closed");
}

TEST_CASE("blocks: W13: less than the Content-Length is left to the gateway to see", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask(with_query("/declared", "20"));
  CHECK(answer.body == "0123456789");
  CHECK(answer.header("Content-Length") == "Content-Length: 20");
  CHECK(answer.ended);
}

TEST_CASE("blocks: the answer ends with the last byte of the Content-Length", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/declared_and_more", .mode = BodyMode::ring});
  const Answer answer = worker.wait(slot, [](const Answer& so_far) { return so_far.ended; });
  CHECK(answer.body == "all");
  worker.gateway().write_body(slot, "what follows\n");
  worker.gateway().end_body(slot, true);
  worker.finish(slot);
  worker.wait_log("then b'what follows\\n'\n");
}

TEST_CASE("blocks: W15: write() sends at once and goes before the iterable", "[pyhost]") {
  Worker worker;
  const auto slot = worker.submit({.path = "/written", .mode = BodyMode::ring});
  worker.wait(slot, [](const Answer& answer) { return answer.body == "written "; });
  worker.gateway().write_body(slot, "twice\n");
  worker.gateway().end_body(slot, true);
  CHECK(worker.finish(slot).body == "written twice\nreturned");
}

TEST_CASE("blocks: W15: write() beyond the Content-Length raises", "[pyhost]") {
  Worker worker;
  CHECK(worker.ask({.path = "/written_beyond"}).body == "0123");
  worker.wait_log("write() beyond the response's Content-Length");
}

TEST_CASE("blocks: W21: bytes and nothing else", "[pyhost]") {
  Worker worker;
  for (const std::string block : {"'text'", "bytearray(b'x')", "memoryview(b'x')", "None"}) {
    const Answer answer = worker.ask(with_query("/wrong_block", block));
    CHECK(answer.head.empty());
    CHECK(answer.failed);
  }
  worker.wait_log("TypeError: the application yielded str, not bytes");
  worker.wait_log("TypeError: the application yielded memoryview, not bytes");
  CHECK(worker.ask({.path = "/bytes_itself"}).failed);
  worker.wait_log("TypeError: the application returned bytes itself");
}

TEST_CASE("blocks: one that is larger than the ring", "[pyhost]") {
  Worker worker;
  const Answer answer = worker.ask(with_query("/large", "3"));
  CHECK(answer.body.size() == 3 << 20);
  CHECK(answer.body.ends_with("0123456789abcdef"));
  CHECK(answer.header("Content-Length") == "Content-Length: 3145728");
}
