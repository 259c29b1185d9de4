#include "common/runtime/mailbox.h"

#include <gtest/gtest.h>

#include <string>

namespace dunlin::runtime {
namespace {

using namespace std::chrono_literals;

NodeId sender(std::uint32_t n) {
  NodeId node;
  for (std::size_t i = 0; i < 4; ++i) node.bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
  return node;
}

class MailboxTest : public testing::Test {
 protected:
  bool push(std::uint32_t from, char name, std::size_t bytes = 100) {
    const auto task = [&] { return [this, name](const Moment&) { read_ += name; }; };
    return mailbox_.push(sender(from), bytes, now_, task);
  }
  // The names of a round's messages.
  std::string round() {
    std::deque<Mailbox::Task> tasks;
    mailbox_.take_round(tasks);
    read_.clear();
    for (auto& task : tasks) task({});
    return read_;
  }

  Mailbox mailbox_{64 << 20};
  Instant now_{1h};
  std::string read_;
};

TEST_F(MailboxTest, SendersTakeTurns) {
  for (const char name : {'a', 'b', 'c', 'd'}) EXPECT_TRUE(push(1, name));
  EXPECT_TRUE(push(2, 'x'));
  EXPECT_TRUE(push(3, 'y'));
  EXPECT_EQ(mailbox_.messages(), 6u);
  EXPECT_EQ(round(), "axy");
  EXPECT_EQ(mailbox_.messages(), 3u);
  EXPECT_TRUE(push(2, 'z'));
  EXPECT_EQ(round(), "bz");
  EXPECT_EQ(round(), "c");
  EXPECT_EQ(round(), "d");
  EXPECT_EQ(round(), "");
  EXPECT_TRUE(mailbox_.empty());
  EXPECT_EQ(mailbox_.bytes(), 0u);
  EXPECT_EQ(mailbox_.messages(), 0u);
}

TEST_F(MailboxTest, OneSenderHasAQuarterOfTheRoom) {
  const std::size_t share = 16 << 20;
  EXPECT_TRUE(push(1, 'a', share - 10));
  EXPECT_FALSE(push(1, 'b', 11));
  EXPECT_TRUE(push(1, 'c', 10));
  for (std::uint32_t n = 2; n <= 4; ++n) EXPECT_TRUE(push(n, 'd', share));
  EXPECT_FALSE(push(5, 'e', 1));
  EXPECT_EQ(round(), "addd");
  EXPECT_TRUE(push(5, 'e', share));
}

// 16 MiB a second and sender, 1 KiB of it for each message.
TEST_F(MailboxTest, WhoSendsTooFastIsCutOff) {
  const auto send_all = [&] {
    int taken = 0;
    while (push(1, 'a', 1024)) {
      ++taken;
      (void)round();
    }
    return taken;
  };
  EXPECT_EQ(send_all(), (32 << 20) / 2048);
  EXPECT_TRUE(push(2, 'b'));
  now_ += 500ms;
  EXPECT_EQ(send_all(), (8 << 20) / 2048);
}

TEST_F(MailboxTest, WhatWasRefusedCostsMore) {
  EXPECT_TRUE(push(1, 'a'));
  mailbox_.charge(sender(1), 100 << 20);
  EXPECT_FALSE(push(1, 'b'));
  EXPECT_TRUE(push(2, 'c'));
  now_ += 1900ms;
  EXPECT_FALSE(push(1, 'b'));
  now_ += 200ms;  // the debt is no more than a full bucket
  EXPECT_TRUE(push(1, 'b'));
}

// However many names somebody gives himself.
TEST_F(MailboxTest, BeyondAThousandSendersTheOthersShareATurn) {
  for (std::uint32_t n = 0; n < 2000; ++n) EXPECT_TRUE(push(n, 'a'));
  EXPECT_EQ(round().size(), 1025u);
  std::size_t rounds = 0;
  while (!round().empty()) ++rounds;
  EXPECT_EQ(rounds, 975u);
  // Who is silent makes room.
  now_ += 11s;
  for (std::uint32_t n = 2000; n < 2010; ++n) EXPECT_TRUE(push(n, 'b'));
  EXPECT_EQ(round().size(), 10u);
}

// Some hundred bytes may decode to a megabyte.
TEST(Mailbox, WhatDecodesToMuchCostsMore) {
  EXPECT_EQ(cost_besides(20'000, 0, false), 0U);
  EXPECT_EQ(cost_besides(20'000, 10'000, false), 0U);
  EXPECT_EQ(cost_besides(20'000, 128'000, false), 108'000U);
  EXPECT_GT(cost_besides(400, 1 << 20, true), cost_besides(400, 1 << 20, false));
  EXPECT_GT(cost_besides(400, 0, true), 100'000U);
}

}  // namespace
}  // namespace dunlin::runtime
