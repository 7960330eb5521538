// What the application finds in environ.
#include "tests/unit/catch.h"
#include "tests/unit/pyhost_driver.h"

using pyhost_test::Answer;
using pyhost_test::Request;
using pyhost_test::Worker;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("environ: W1: a builtin dict of latin-1 strings, new for each request", "[pyhost]") {
  Worker worker;
  Request request{.path = "/environ", .variables = {{"HTTP_X_NAME", "caf\xE9"}}};
  const std::string first = worker.ask(request).body;
  const std::string second = worker.ask(request).body;
  CHECK(contains(first, R"("type": "dict")"));
  CHECK(contains(first, R"("HTTP_X_NAME": "caf\u00e9")"));
  // The application's changes to the first one are not in the second.
  CHECK(contains(second, R"("marked": false)"));
  CHECK(contains(second, R"("PATH_INFO": "/environ")"));
  CHECK(contains(second, R"("SERVER_NAME": "localhost")"));
}

TEST_CASE("environ: W2, W18: all required keys, and no others of our own", "[pyhost]") {
  Worker worker;
  const std::string body = worker.ask({.path = "/environ"}).body;
  CHECK(contains(
      body,
      R"("keys": ["PATH_INFO", "REQUEST_METHOD", "REQUEST_URI", "SCRIPT_NAME", )"
      R"("SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "pycgid.pool", )"
      R"("pycgid.request_id", "pycgid.stopping", "pycgid.version", "pycgid.worker", "wsgi.errors", )"
      R"("wsgi.file_wrapper", "wsgi.input", "wsgi.input_terminated", )"
      R"("wsgi.multiprocess", "wsgi.multithread", "wsgi.run_once", )"
      R"("wsgi.url_scheme", "wsgi.version"])"));
  CHECK(contains(body, R"("version": [1, 0])"));
  CHECK(contains(body, R"("terminated": true)"));
  CHECK(contains(body, R"("pycgid.pool": "shop")"));
  CHECK(contains(body, "\"pycgid.version\": \"" PYHOST_TEST_VERSION "\""));
  CHECK(contains(body, R"("pycgid.request_id": "test-1")"));
}

TEST_CASE("environ: W19: multithread and multiprocess are truthful", "[pyhost]") {
  Worker alone({.threads = 1, .multiprocess = false});
  CHECK(contains(alone.ask({.path = "/environ"}).body, R"("flags": [false, false, false])"));
  Worker together({.threads = 2, .multiprocess = true});
  CHECK(contains(together.ask({.path = "/environ"}).body, R"("flags": [true, true, false])"));
}

TEST_CASE("environ: a variable that does not come again is gone", "[pyhost]") {
  Worker worker;
  const Request with{.path = "/environ", .variables = {{"HTTP_COOKIE", "a=1"}}};
  CHECK(contains(worker.ask(with).body, R"("HTTP_COOKIE": "a=1")"));
  CHECK(!contains(worker.ask({.path = "/environ"}).body, "HTTP_COOKIE"));
  CHECK(contains(worker.ask(with).body, R"("HTTP_COOKIE": "a=1")"));
  const Request changed{.path = "/environ", .variables = {{"HTTP_COOKIE", "a=2"}}};
  CHECK(contains(worker.ask(changed).body, R"("HTTP_COOKIE": "a=2")"));
}

TEST_CASE("environ: more names than the table has room for", "[pyhost]") {
  Worker worker;
  for (const std::string series : {"A", "B", "C"}) {
    Request request{.path = "/environ"};
    for (int i = 0; i < 900; ++i) {
      request.variables.emplace_back("HTTP_" + series + std::to_string(i), std::to_string(i));
    }
    request.variables.emplace_back("HTTP_" + std::string(200, 'X'), "a long name");
    const std::string body = worker.ask(request).body;
    int missing = 0;
    for (int i = 0; i < 900; ++i) {
      const std::string number = std::to_string(i);
      const std::string pair = "\"HTTP_" + series + number + "\": \"" + number + "\"";
      if (!contains(body, pair)) ++missing;
    }
    CHECK(missing == 0);
    CHECK(contains(body, "a long name"));
    CHECK(contains(body, R"("SERVER_PORT": "80")"));
    if (series != "A") CHECK(!contains(body, "HTTP_A0"));
  }
}
