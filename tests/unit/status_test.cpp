// What the status shows: the texts of messages, and the forms.
#include "daemon/status/forms.h"
#include "daemon/status/pool_state.h"
#include "daemon/status/question.h"
#include "tests/unit/catch.h"

#include <chrono>
#include <string>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

using SteadyTime = std::chrono::steady_clock::time_point;

TEST_CASE("pool state: without a reload it comes back as it was", "[status]") {
  const auto state = decode_pool_state(encode({.serving = 3,
                                               .candidate = 4,
                                               .deaths = 5,
                                               .recycled = 6,
                                               .reloads = 7,
                                               .failed_reloads = 8}));
  REQUIRE(state);
  CHECK((state->serving == 3 && state->candidate == 4 && state->deaths == 5));
  CHECK((state->recycled == 6 && state->reloads == 7 && state->failed_reloads == 8));
  CHECK_FALSE(state->last_reload);
}

TEST_CASE("pool state: the reason of a failed reload may hold anything", "[status]") {
  const SteadyTime when{12'345'678ns};
  const auto state = decode_pool_state(
      encode({.last_reload = ReloadOutcome{when, 9, false, "  two  blanks\nand a line "}}));
  REQUIRE(state);
  REQUIRE(state->last_reload);
  CHECK(state->last_reload->when == when);
  CHECK(state->last_reload->generation == 9);
  CHECK_FALSE(state->last_reload->ok);
  CHECK(state->last_reload->reason == "  two  blanks\nand a line ");
}

TEST_CASE("pool state: nonsense is none", "[status]") {
  CHECK_FALSE(decode_pool_state(""));
  CHECK_FALSE(decode_pool_state("1 2 3"));
  CHECK_FALSE(decode_pool_state("a b c d e f"));
}

TEST_CASE("question: form, master and start come back", "[status]") {
  const auto question =
      decode_question(encode(Question{.form = "json", .master = 4711, .started = SteadyTime{5s}}));
  REQUIRE(question);
  CHECK((question->form == "json" && question->master == 4711));
  CHECK(question->started == SteadyTime{5s});
  CHECK_FALSE(decode_question("json"));
}

DaemonReport daemon_in_trouble() {
  PoolReport pool{};
  pool.name = "blog";
  pool.failure = "cannot load \"blog\"\n\033[31m";
  pool.workers.push_back({.name = "blog/1",
                          .pid = 12,
                          .state = "starting",
                          .generation = 1,
                          .memory = {},
                          .cpu = {},
                          .current = {}});
  DaemonReport daemon{};
  daemon.version = "1.0";
  daemon.gateway = -1;
  daemon.problem = "the gateway does not run";
  daemon.pools.push_back(pool);
  return daemon;
}

TEST_CASE("table: without a gateway it shows what the master knows", "[status]") {
  const std::string text = table(daemon_in_trouble());
  CHECK(text.find("no gateway") != std::string::npos);
  CHECK(text.find("only what the master knows: the gateway does not run\n") != std::string::npos);
  CHECK(text.find("pool \"blog\": failed\n") != std::string::npos);
  CHECK(text.find("blog/1   12  starting    1") != std::string::npos);
  // A reason from an application neither ends a line nor colours a terminal.
  CHECK(text.find("cannot load \"blog\"\\n\\x1b[31m\n") != std::string::npos);
}

TEST_CASE("json: without a gateway its figures are left out", "[status]") {
  const std::string text = json(daemon_in_trouble());
  CHECK(text.find("\"gateway_pid\":null") != std::string::npos);
  CHECK(text.find("\"queue_time\"") == std::string::npos);
  CHECK(text.find("\"state\":\"failed\"") != std::string::npos);
}

TEST_CASE("openmetrics: without a gateway its families are left out", "[status]") {
  const std::string text = openmetrics(daemon_in_trouble());
  CHECK(text.find("pycgid_gateway_up 0\n") != std::string::npos);
  CHECK(text.find("pycgid_queue") == std::string::npos);
  CHECK(text.find("pycgid_up{pool=\"blog\"} 0\n") != std::string::npos);
  CHECK(text.ends_with("# EOF\n"));
}

}  // namespace
