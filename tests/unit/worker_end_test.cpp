// The one line about a worker's end.
#include "daemon/gateway/worker_end.h"

#include "tests/unit/catch.h"

#include <cstdio>
#include <string>
#include <unistd.h>

namespace {

using namespace pycgid;

// What log_end() writes, without the time.
std::string line(const std::string& text, const Losses& losses) {
  std::FILE* file = std::tmpfile();
  set_log_fd(fileno(file));
  log_end({.type = MessageType::worker_exited, .text = text}, losses);
  set_log_fd(STDERR_FILENO);
  std::string written(1000, '\0');
  const ssize_t size = ::pread(fileno(file), written.data(), written.size(), 0);
  std::fclose(file);
  written.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return written.empty() ? "" : written.substr(written.find(' ') + 1);
}

TEST_CASE("worker end: the requests stand between what happened and what follows", "[gateway]") {
  const std::string text = end_text(LogLevel::warning, "blog/2[7]", "was killed", "; replacing it");
  CHECK(line(text, {}) == "warning blog/2[7]: was killed; replacing it\n");
  CHECK(line(text, {1, "request 1 (GET /): answered 502"}) ==
        "error blog/2[7]: was killed, running request 1 (GET /): answered 502; replacing it\n");
}

TEST_CASE("worker end: requests that are lost are told though the end was meant", "[gateway]") {
  const std::string text = end_text(LogLevel::debug, "blog/2[7]", "was killed", "");
  CHECK(line(text, {}).empty());
  CHECK(line(text, {1, "a request"}) == "error blog/2[7]: was killed, running a request\n");
}

TEST_CASE("worker end: requests that had been answered before are no error", "[gateway]") {
  const std::string text = end_text(LogLevel::notice, "blog/2[7]", "was killed", "");
  CHECK(line(text, {0, "1 that had been answered before"}) ==
        "notice blog/2[7]: was killed, running 1 that had been answered before\n");
}

TEST_CASE("worker end: what the master tells is not told again", "[gateway]") {
  CHECK(line("", {}).empty());
  CHECK(line("", {1, "a request"}).empty());
}

}  // namespace
