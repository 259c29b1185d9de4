#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

// Skips what only root can test; where CI is set that is a failure.
#define DUNLIN_AS_ROOT(can)                                         \
  if (::getuid() != 0) {                                            \
    ASSERT_EQ(std::getenv("CI"), nullptr) << "only root " << (can); \
    GTEST_SKIP() << "only root " << (can);                          \
  }                                                                 \
  static_assert(true)
