#include "common/replication/ack_ledger.h"

#include <gtest/gtest.h>

#include "common/base/random.h"
#include "common/replication/acknowledger.h"

namespace dunlin::replication {
namespace {

using namespace std::chrono_literals;

NodeId node(std::uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}
const LogId kLog{node(9), Epoch{1}, kSamplesTrack};

IntervalSet set_of(Seq first, Seq last) {
  IntervalSet set;
  set.insert({first, last});
  return set;
}

TEST(InAtLeast, CountsSetsForEverySequenceNumber) {
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<IntervalSet> sets(1 + random.below(4));
    for (IntervalSet& set : sets) {
      for (int i = 0; i < 6; ++i) {
        const Seq first = 1 + random.below(40);
        set.insert({first, first + random.below(5)});
      }
    }
    std::vector<const IntervalSet*> views;
    for (const IntervalSet& set : sets) views.push_back(&set);
    const std::size_t count = 1 + random.below(3);
    const IntervalSet found = in_at_least(count, views);
    for (Seq seq = 1; seq <= 50; ++seq) {
      std::size_t in = 0;
      for (const IntervalSet& set : sets) in += set.contains(seq) ? 1U : 0U;
      EXPECT_EQ(found.contains(seq), in >= count) << seq;
    }
  }
}

TEST(AckLedger, OneThatLostItsDatabaseTakesItsWordBack) {
  AckLedger ledger({{}, 1});
  EXPECT_EQ(ledger.heard(kLog, node(1), set_of(1, 10)), set_of(1, 10));
  EXPECT_EQ(ledger.heard(kLog, node(1), set_of(8, 12)), set_of(8, 12));
  EXPECT_EQ(ledger.heard(kLog, node(2), set_of(1, 5)).count(), 10u);  // another has them
}

TEST(AckLedger, WhatWasAckedBeforeTheStartStaysUntilSomebodyKnowsBetter) {
  AckLedger ledger({{node(1), node(2)}, 2});
  ledger.start(kLog, set_of(1, 10));
  EXPECT_EQ(ledger.heard(kLog, node(1), set_of(1, 20)), set_of(1, 10));
  EXPECT_EQ(ledger.heard(kLog, node(2), set_of(1, 4)), set_of(1, 4));
}

TEST(AckLedger, WhoIsForgottenHasSaidNothing) {
  AckLedger ledger({{}, 2});
  ledger.start(kLog, set_of(1, 2));
  (void)ledger.heard(kLog, node(1), set_of(1, 10));
  (void)ledger.heard(kLog, node(2), set_of(1, 8));
  EXPECT_EQ(ledger.heard(kLog, node(3), set_of(1, 5)), set_of(1, 8));
  EXPECT_EQ(ledger.forget(node(1)), (std::map<LogId, IntervalSet>{{kLog, set_of(1, 5)}}));
  EXPECT_TRUE(ledger.forget(node(1)).empty());
  EXPECT_EQ(ledger.forget(node(2)), (std::map<LogId, IntervalSet>{{kLog, set_of(1, 2)}}));
}

TEST(AckLedger, StrangersDoNotCount) {
  const AckLedger named({{node(1)}, 1});
  EXPECT_TRUE(named.counts(node(1)));
  EXPECT_FALSE(named.counts(node(2)));
  AckLedger open({{}, 1});
  for (std::uint8_t n = 0; n < 16; ++n) (void)open.heard(kLog, node(n), {});
  EXPECT_TRUE(open.counts(node(15)));
  EXPECT_FALSE(open.counts(node(16)));
}

TEST(Acknowledger, ManyCommitsShareASignature) {
  Acknowledger acks;
  const Instant start{};
  EXPECT_FALSE(acks.next_deadline());
  acks.durable(node(1), 100, start + 1s);
  acks.durable(node(2), 100, start + 1500ms);
  acks.durable(node(1), 100, start + 1900ms);
  EXPECT_EQ(acks.next_deadline(), start + 2s);
  EXPECT_TRUE(acks.take_due(start + 1999ms).empty());
  EXPECT_EQ(acks.take_due(start + 2s), std::vector<NodeId>{node(1)});
  EXPECT_EQ(acks.next_deadline(), start + 2500ms);
  acks.durable(node(3), Acknowledger::kBytes, start + 2s);
  EXPECT_EQ(acks.take_due(start + 2s), std::vector<NodeId>{node(3)});
  EXPECT_EQ(acks.take_due(start + 3s), std::vector<NodeId>{node(2)});
  EXPECT_FALSE(acks.next_deadline());
}

}  // namespace
}  // namespace dunlin::replication
