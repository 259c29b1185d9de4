#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/security/keys.h"
#include "common/storage/log_store.h"
#include "tests/support/temp_dir.h"

namespace dunlin::storage::test {

// One node that writes real, signed segments into somebody's LogStore.
class Origin {
 public:
  Origin(LogStore& store, std::uint64_t epoch)
      : store_(store), key_(*security::NodeKey::generate()), epoch_{epoch} {
    append(kControlTrack, {Open{key_->public_key(), "node"}});
    flush(kControlTrack);
  }

  std::string node() const { return key_->node().to_string(); }
  const Bytes& public_key() const { return key_->public_key(); }
  LogId log(Track track = kSamplesTrack) const { return {key_->node(), epoch_, track}; }

  // The node goes on in another epoch, as after a reflash.
  void set_epoch(std::uint64_t epoch) {
    epoch_.value = epoch;
    append(kControlTrack, {Open{key_->public_key(), "node"}});
    flush(kControlTrack);
  }

  void define(std::uint64_t id, std::uint64_t version, StreamSchema schema) {
    append(kControlTrack, {Define{id, version, std::move(schema)}});
    flush(kControlTrack);
  }

  Seq append(Track track, std::vector<Op> ops) {
    Log& log_state = logs_[log(track)];
    if (log_state.chain.empty()) log_state.hashes.push_back(chain_start(log(track)));
    const Seq seq = log_state.chain.entries.size() + 1;
    Entry entry{seq, Hlc::of(1'700'000'000'000 + seq, 0), std::move(ops)};
    log_state.hashes.push_back(
        log_state.chain.add(std::move(entry), log_state.hashes.back()).value().after);
    return seq;
  }
  Seq append(std::vector<Op> ops) { return append(kSamplesTrack, std::move(ops)); }

  // Stores [first, last] as one segment (or as few as the limits allow).
  void store(Track track, Seq first, Seq last) {
    Log& log_state = logs_[log(track)];
    const ChainView chain = log_state.chain;
    const auto segments = build_segments(log(track), log_state.hashes[first - 1], 0,
                                         chain.from(first - 1).first(last - first + 1), *key_);
    ASSERT_TRUE(segments.ok()) << segments.error().message();
    const auto outcomes = store_.commit({.segments = *segments});
    ASSERT_TRUE(outcomes.ok()) << outcomes.error().message();
    for (const WriteOutcome& outcome : *outcomes) {
      ASSERT_EQ(outcome.kind, WriteOutcome::Kind::stored);
    }
    log_state.stored = std::max(log_state.stored, last);
  }
  void store(Seq first, Seq last) { store(kSamplesTrack, first, last); }

  // Stores what was appended since.
  void flush(Track track = kSamplesTrack) {
    const Log& log_state = logs_[log(track)];
    store(track, log_state.stored + 1, log_state.chain.entries.size());
  }

 private:
  struct Log {
    Chain chain;
    std::vector<Hash> hashes;  // hashes[n] = hash(n)
    Seq stored = 0;
  };
  LogStore& store_;
  std::unique_ptr<security::NodeKey> key_;
  Epoch epoch_;
  std::map<LogId, Log> logs_;
};

// Rows of integers (or mantissas): {time, {values...}}.
struct IntegerRow {
  std::int64_t time;
  std::vector<std::int64_t> values;
};
inline Samples integers(std::uint64_t stream, const std::vector<IntegerRow>& rows) {
  Samples samples{.stream = stream, .boot = {}, .base = rows.front().time, .rows = {}};
  samples.rows = Rows(rows.front().values.size());
  for (const IntegerRow& row : rows) {
    samples.rows.begin_row(row.time);
    for (const std::int64_t value : row.values) samples.rows.add_integer(value);
  }
  return samples;
}

// A LogStore in a folder of its own.
class FleetTest : public testing::Test {
 protected:
  static constexpr std::int64_t kStart = 1'700'000'000'000'000;
  static constexpr std::int64_t kSecond = 1'000'000;

  FleetTest()
      : path_(folder_.file("log.db")),
        own_key_(*security::NodeKey::generate()),
        verifier_(security::make_mbedtls_verifier()) {
    LogStore::Options options{.path = path_, .fresh_epoch = Epoch{1}};
    store_ =
        std::make_unique<LogStore>(*LogStore::open(options, own_key_->node(), *verifier_, nullptr));
  }

  // Runs SQL behind the store's back.
  void tamper(const std::string& sql) {
    Result<Connection> db = Connection::open(path_, SQLITE_OPEN_READWRITE);
    ASSERT_TRUE(db.ok());
    const Result<void> done = db->execute(sql.c_str());
    ASSERT_TRUE(done.ok()) << done.error().message();
  }

  dunlin::test::TempDir folder_;
  std::string path_;
  std::unique_ptr<security::NodeKey> own_key_;
  std::unique_ptr<Verifier> verifier_;
  std::unique_ptr<LogStore> store_;
};

}  // namespace dunlin::storage::test
