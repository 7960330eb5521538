// How often this test program has called operator new: for what must not allocate, or must give its
// memory back and so allocate again.
#pragma once

#include <cstddef>

std::size_t allocations();
