#include "agent/inputs/schedule.h"

#include <gtest/gtest.h>

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;

TEST(RunEvery, TicksUntilClosed) {
  int ticks = 0;
  std::stop_source source;
  const auto result = run_every(1ms, source.get_token(), [&]() -> Result<void> {
    if (++ticks == 3) return {Errc::closed, "over"};
    return {};
  });
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(ticks, 3);
}

TEST(RunEvery, ErrorsEndIt) {
  std::stop_source source;
  const auto result = run_every(1ms, source.get_token(), []() -> Result<void> {
    return {Errc::io, "broken"};
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::io);
}

TEST(RunEvery, StopsInTheMiddleOfAnInterval) {
  int ticks = 0;
  std::stop_source source;
  const auto result = run_every(1h, source.get_token(), [&]() -> Result<void> {
    ++ticks;
    source.request_stop();
    return {};
  });
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(ticks, 1);
}

}  // namespace
}  // namespace dunlin::agent
