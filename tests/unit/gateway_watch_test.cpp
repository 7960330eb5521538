// When the master asks the gateway whether it runs, and when it gives it up.
#include "daemon/master/gateway_watch.h"

#include "tests/unit/catch.h"

namespace {

using namespace pycgid;
using namespace std::chrono_literals;
using Step = GatewayWatch::Step;
constexpr GatewayWatch::TimePoint kStart{};

TEST_CASE("gateway watch: a gateway that answers is asked again and again", "[master]") {
  GatewayWatch watch;
  watch.begin(kStart);
  watch.on_answer(kStart + 1s);
  CHECK(watch.look(kStart + 5999ms) == Step::none);
  CHECK(watch.look(kStart + 6s) == Step::ask);
  watch.on_answer(kStart + 7s);
  CHECK(watch.look(kStart + 12s) == Step::ask);
}

TEST_CASE("gateway watch: one that does not answer is given up, once", "[master]") {
  GatewayWatch watch;
  watch.begin(kStart);
  watch.on_answer(kStart);
  CHECK(watch.look(kStart + 5s) == Step::ask);
  CHECK(watch.look(kStart + 24s) == Step::none);
  CHECK(watch.look(kStart + 25s) == Step::overdue);
  CHECK(watch.look(kStart + 26s) == Step::none);
}

TEST_CASE("gateway watch: one that never gets ready is given up", "[master]") {
  GatewayWatch watch;
  watch.begin(kStart);
  CHECK(watch.look(kStart + 20s) == Step::overdue);
}

TEST_CASE("gateway watch: a master that was stopped itself asks once more", "[master]") {
  GatewayWatch watch;
  watch.begin(kStart);
  CHECK(watch.look(kStart + 1h) == Step::ask);
  CHECK(watch.look(kStart + 1h + 20s) == Step::overdue);
}

TEST_CASE("gateway watch: nobody is watched before the begin and after the end", "[master]") {
  GatewayWatch watch;
  CHECK(watch.look(kStart + 1h) == Step::none);
  watch.begin(kStart);
  watch.end();
  watch.on_answer(kStart);
  CHECK(watch.look(kStart + 1h) == Step::none);
}

}  // namespace
