#include "common/log/chain.h"

#include <gtest/gtest.h>

#include "common/log/entry.h"
#include "common/log/signer.h"

namespace dunlin {
namespace {

LogId sample_log() {
  LogId log{*NodeId::from_string("000102030405060708090a0b0c0d0e0f"), Epoch{0x1122334455667788},
            Track{1}};
  return log;
}

TEST(Chain, LogIdIsBigEndianAnd32Bytes) {
  EXPECT_EQ(to_hex(log_id_bytes(sample_log())),
            "000102030405060708090a0b0c0d0e0f11223344556677880000000000000001");
  EXPECT_EQ(sample_log().to_string(), "000102030405060708090a0b0c0d0e0f/1122334455667788/1");
  EXPECT_EQ(sample_log().control().track, kControlTrack);
}

TEST(Chain, StartAndStepAreWhatTheFormatSays) {
  const Hash start = chain_start(sample_log());
  Bytes message{'d', 'u', 'n', 'l', 'i', 'n', '/', '1', ' ', 'l', 'o', 'g'};
  const auto id = log_id_bytes(sample_log());
  message.insert(message.end(), id.begin(), id.end());
  EXPECT_EQ(start, sha256(message));

  const Hash digest = sha256(as_bytes("an entry"));
  Bytes pair(start.begin(), start.end());
  pair.insert(pair.end(), digest.begin(), digest.end());
  EXPECT_EQ(chain_next(start, digest), sha256(pair));
}

TEST(Chain, EveryPartOfTheLogIdStartsAnotherChain) {
  const Hash start = chain_start(sample_log());
  LogId other = sample_log();
  other.node.bytes[15] ^= 1;
  EXPECT_NE(chain_start(other), start);
  other = sample_log();
  other.epoch.value ^= 1;
  EXPECT_NE(chain_start(other), start);
  EXPECT_NE(chain_start(sample_log().control()), start);
}

TEST(Chain, HeadStatementNamesLogSequenceAndHash) {
  Hash hash;
  hash.fill(0xab);
  EXPECT_EQ(to_hex(head_statement(sample_log(), 0x0102, hash)),
            to_hex(as_bytes("dunlin/1 head")) + to_hex(log_id_bytes(sample_log())) +
                "0000000000000102" + to_hex(hash));
}

TEST(Chain, NodeIdIsTheStartOfTheKeysHash) {
  EXPECT_EQ(node_id_of(as_bytes("abc")).to_string(), "ba7816bf8f01cfea414140de5dae2223");
}

TEST(Chain, CountsReadingsOfSamplesOnly) {
  Samples two{.stream = 1, .boot = {}, .base = 0, .rows = Rows(1)};
  two.rows.resize(2);
  const Entry entry{1, {}, {two, Open{}, two}};
  EXPECT_EQ(count_readings(entry), 4U);
}

}  // namespace
}  // namespace dunlin
