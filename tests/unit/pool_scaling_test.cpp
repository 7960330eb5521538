// How many workers a pool with a range of processes has: growth and shrinkage over a played time.
#include "daemon/master/pool_scaling.h"

#include "tests/unit/catch.h"

#include <vector>

namespace {

using namespace pycgid;
using namespace std::chrono_literals;

PoolSettings range(unsigned min, unsigned max, unsigned threads) {
  PoolSettings pool;
  pool.processes_min = min;
  pool.processes_max = max;
  pool.threads = threads;
  return pool;
}

struct Played {
  Played(unsigned min, unsigned max, unsigned threads) : pool(range(min, max, threads)) {}

  unsigned grow(const Staff& staff, unsigned waiting, std::chrono::milliseconds after) {
    now += after;
    return scaling.growth(staff, waiting, now);
  }
  // Reports, one a second.
  bool quiet(const Staff& staff, unsigned peak, int seconds) {
    bool surplus = false;
    for (int i = 0; i < seconds; ++i) {
      now += 1s;
      surplus = scaling.shrinks(staff, peak, now);
    }
    return surplus;
  }

  PoolSettings pool;
  PoolScaling scaling{pool};
  PoolScaling::TimePoint now{};
};

TEST_CASE("scaling: it doubles while requests wait, up to MAX", "[scaling]") {
  Played played(1, 12, 1);
  CHECK(played.grow({1, 0}, 1000, 0ms) == 1);
  CHECK(played.grow({1, 1}, 1000, 1s) == 2);
  CHECK(played.grow({2, 2}, 1000, 1s) == 4);
  CHECK(played.grow({2, 6}, 1000, 1s) == 4);
  CHECK(played.grow({2, 10}, 1000, 1s) == 0);
  CHECK(played.grow({12, 0}, 1000, 1s) == 0);
}

TEST_CASE("scaling: not more than 32 at once", "[scaling]") {
  Played played(1, 1024, 1);
  unsigned total = 1;
  std::vector<unsigned> steps;
  for (int i = 0; i < 8; ++i) {
    steps.push_back(played.grow({total, 0}, 1'000'000, 1s));
    total += steps.back();
  }
  CHECK(steps == std::vector<unsigned>{1, 2, 4, 8, 16, 32, 32, 32});
}

TEST_CASE("scaling: one step a second, however often requests are said to wait", "[scaling]") {
  Played played(1, 8, 1);
  CHECK(played.grow({1, 0}, 9, 0ms) == 1);
  CHECK(played.grow({1, 1}, 9, 250ms) == 0);
  CHECK(played.grow({2, 0}, 9, 749ms) == 0);
  CHECK(played.grow({2, 0}, 9, 1ms) == 2);
}

TEST_CASE("scaling: never more than the waiting requests need, with those that start",
          "[scaling]") {
  Played played(1, 8, 4);
  CHECK(played.grow({1, 0}, 1, 0ms) == 1);
  CHECK(played.grow({1, 1}, 4, 1s) == 0);
  CHECK(played.grow({1, 1}, 5, 1s) == 1);
  CHECK(played.grow({1, 2}, 9, 1s) == 1);
}

TEST_CASE("scaling: a new rush begins with one", "[scaling]") {
  Played played(1, 8, 1);
  CHECK(played.grow({1, 0}, 9, 0ms) == 1);
  CHECK(played.grow({2, 0}, 9, 1s) == 2);
  CHECK(played.grow({4, 0}, 9, 3s) == 1);
}

TEST_CASE("scaling: starts that fail are tried again ever later", "[scaling]") {
  Played played(0, 8, 1);
  CHECK(played.grow({}, 1, 0ms) == 1);
  CHECK(played.scaling.start_failed(played.now) == 0ms);
  CHECK(played.grow({}, 1, 0ms) == 1);
  CHECK(played.scaling.start_failed(played.now) == 100ms);
  CHECK(played.grow({}, 1, 99ms) == 0);
  CHECK(played.grow({}, 1, 1ms) == 1);
  CHECK(played.scaling.start_failed(played.now) == 200ms);
  played.scaling.start_succeeded();
  CHECK(played.scaling.start_failed(played.now) == 0ms);
}

TEST_CASE("scaling: a worker is surplus after ten seconds in which the others sufficed",
          "[scaling]") {
  Played played(1, 8, 4);
  CHECK_FALSE(played.quiet({3, 0}, 4, 9));
  CHECK(played.quiet({3, 0}, 4, 1));
  CHECK_FALSE(played.quiet({2, 0}, 4, 5));
}

TEST_CASE("scaling: one busy moment keeps the workers for ten more seconds", "[scaling]") {
  Played played(1, 8, 4);
  CHECK_FALSE(played.quiet({3, 0}, 2, 9));
  CHECK_FALSE(played.quiet({3, 0}, 6, 1));
  CHECK_FALSE(played.quiet({3, 0}, 2, 9));
  CHECK(played.quiet({3, 0}, 2, 1));
}

TEST_CASE("scaling: with one thread each, as many as there were requests at once", "[scaling]") {
  Played played(1, 8, 1);
  CHECK(played.quiet({4, 0}, 3, 10));
  CHECK_FALSE(played.quiet({3, 0}, 3, 10));
}

TEST_CASE("scaling: never below MIN, and to none with 0-MAX", "[scaling]") {
  Played two(2, 8, 4);
  CHECK(two.quiet({3, 0}, 0, 10));
  CHECK_FALSE(two.quiet({2, 0}, 0, 10));
  Played none(0, 8, 4);
  CHECK_FALSE(none.quiet({1, 0}, 1, 10));
  CHECK(none.quiet({1, 0}, 0, 10));
  CHECK_FALSE(none.quiet({0, 0}, 0, 10));
}

TEST_CASE("scaling: not while workers are being started", "[scaling]") {
  Played played(1, 8, 4);
  CHECK_FALSE(played.quiet({3, 1}, 0, 20));
  CHECK(played.quiet({3, 0}, 0, 1));
}

TEST_CASE("scaling: reports from before a gap do not count", "[scaling]") {
  Played played(1, 8, 4);
  CHECK_FALSE(played.quiet({3, 0}, 0, 9));
  played.now += 60s;
  CHECK_FALSE(played.quiet({3, 0}, 0, 9));
  CHECK(played.quiet({3, 0}, 0, 1));
}

TEST_CASE("scaling: a new generation is as large as the old one, within the range", "[scaling]") {
  const PoolSettings elastic = range(2, 8, 4);
  CHECK(PoolScaling::size_of_next(elastic, {}) == 2);
  CHECK(PoolScaling::size_of_next(elastic, {3, 2}) == 5);
  const PoolSettings on_demand = range(0, 8, 4);
  CHECK(PoolScaling::size_of_next(on_demand, {}) == 1);
  const PoolSettings fixed = range(3, 3, 4);
  CHECK_FALSE(PoolScaling(fixed).is_elastic());
  CHECK(PoolScaling::size_of_next(fixed, {}) == 3);
}

}  // namespace
