// Catch2 2 (Debian 12) and 3 (Debian 13) under one include; only TEST_CASE, SECTION, INFO, CHECK
// and REQUIRE are used, which both have here: check_layers.py knows the others.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#include <catch2/catch.hpp>
#endif
