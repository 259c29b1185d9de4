#include "common/runtime/muted.h"

#include <gtest/gtest.h>

namespace dunlin::runtime {
namespace {

using namespace std::chrono_literals;

Muted::Writer writer(std::uint8_t n, replication::CellIndex cell = 0) {
  Muted::Writer out{cell, {}};
  out.node.bytes[0] = n;
  return out;
}

class MutedTest : public testing::Test {
 protected:
  // How many messages of that one are refused until it is muted, one each so often.
  int refused_until_muted(const Muted::Writer& who, Duration distance, std::size_t bytes = 100) {
    for (int n = 1; n <= 10'000; ++n, now_ += distance) {
      if (muted_.refused(who, bytes, now_)) return n;
    }
    return 0;
  }
  Muted muted_{1min};
  Instant now_{1h};
};

TEST_F(MutedTest, ManyMessagesOrManyBytesAreAFlood) {
  EXPECT_EQ(refused_until_muted(writer(1), 20us), 513);
  EXPECT_EQ(refused_until_muted(writer(2), 0us, 1 << 20), 9);
  EXPECT_EQ(muted_.writers().size(), 2u);
  EXPECT_TRUE(muted_.writers().contains(writer(1)));
}

TEST_F(MutedTest, WhoIsRefusedNowAndThenIsHeard) {
  EXPECT_EQ(refused_until_muted(writer(1), 250us), 0);  // 4000 a second
  EXPECT_EQ(refused_until_muted(writer(1), 10ms, 512 << 10), 0);
  EXPECT_EQ(muted_.deadline(), std::nullopt);
}

TEST_F(MutedTest, OneIsMutedWhereItWrites) {
  EXPECT_GT(refused_until_muted(writer(1, 3), 1us), 0);
  EXPECT_TRUE(muted_.writers().contains(writer(1, 3)));
  EXPECT_FALSE(muted_.writers().contains(writer(1, 2)));
  EXPECT_FALSE(muted_.writers().contains(writer(2, 3)));
  EXPECT_EQ(refused_until_muted(writer(1, 3), 1us), 0);  // what was on its way
}

TEST_F(MutedTest, AllAreHeardAgainTogether) {
  EXPECT_FALSE(muted_.lift(now_ + 1h));
  const Instant begin = now_;
  EXPECT_GT(refused_until_muted(writer(1), 0us), 0);
  now_ += 30s;
  EXPECT_GT(refused_until_muted(writer(2), 0us), 0);
  EXPECT_EQ(muted_.deadline(), begin + 1min);
  EXPECT_FALSE(muted_.lift(begin + 59s));
  EXPECT_TRUE(muted_.lift(begin + 1min));
  EXPECT_TRUE(muted_.writers().empty());
  EXPECT_FALSE(muted_.lift(begin + 1h));
  now_ = begin + 1min;
  EXPECT_GT(refused_until_muted(writer(1), 20us), 0);  // and judged anew
  EXPECT_GT(*muted_.deadline(), begin + 2min);
}

}  // namespace
}  // namespace dunlin::runtime
