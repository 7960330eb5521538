// Catch2 2 (Debian 12) and 3 (Debian 13) under one include; only TEST_CASE, SECTION, CHECK and
// REQUIRE are used, which are the same in both.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#include <catch2/catch.hpp>
#endif
