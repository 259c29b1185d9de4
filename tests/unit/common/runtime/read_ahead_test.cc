#include "common/runtime/read_ahead.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "tests/support/peer.h"

namespace dunlin::runtime {
namespace {

using replication::Lane;
using replication::Received;
using replication::TopicClass;

// Stands still while it is held.
class HeldVerifier final : public Verifier {
 public:
  Result<void> verify(ByteView key, ByteView message, const Signature& signature) override {
    std::unique_lock lock(mutex_);
    reached_ += 1;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_ || let_through_ > 0; });
    if (held_) let_through_ -= 1;
    return verifier_->verify(key, message, signature);
  }
  void await(int calls = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return reached_ >= calls; });
  }
  void let_one_through() {
    const std::lock_guard lock(mutex_);
    let_through_ += 1;
    changed_.notify_all();
  }
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }

 private:
  std::unique_ptr<Verifier> verifier_ = security::make_openssl_verifier();
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  int reached_ = 0;
  int let_through_ = 0;
};

class ReadAheadTest : public testing::Test {
 protected:
  Received message() {
    segments_.push_back(peer_.samples());
    return {TopicClass::live, peer_.node(), peer_.segments({segments_.back()})};
  }
  const Bytes* key() { return &peer_.key().public_key(); }
  bool prepared(const Received& message, std::size_t n) {
    return message.prepared.find(segments_[n].bytes) != nullptr;
  }

  test::Peer peer_;
  std::vector<SegmentRecord> segments_;
};

TEST_F(ReadAheadTest, WithoutAThreadMessagesGoThrough) {
  ReadAhead ahead(nullptr);
  EXPECT_FALSE(ahead.has_thread());
  for (int i = 0; i < 3; ++i) ahead.add(Lane::live, message(), key());
  for (std::size_t n = 0; n < 3; ++n) EXPECT_FALSE(prepared(ahead.take(Lane::live), n));
  EXPECT_EQ(ahead.size(Lane::live), 0u);
}

TEST_F(ReadAheadTest, TheThreadBeginsWithTheLastAndNoOrderChanges) {
  auto owned = std::make_unique<HeldVerifier>();
  HeldVerifier& verifier = *owned;
  verifier.hold(true);
  ReadAhead ahead(std::move(owned));
  // It begins with either of these, as it may not have run before the second came.
  for (int i = 0; i < 2; ++i) ahead.add(Lane::bulk, message(), key());
  verifier.await();
  for (int i = 0; i < 2; ++i) ahead.add(Lane::live, message(), key());
  verifier.let_one_through();
  verifier.await(2);  // it is at the last of what is live
  EXPECT_FALSE(prepared(ahead.take(Lane::live), 2));
  const bool first = prepared(ahead.take(Lane::bulk), 0);
  EXPECT_NE(first, prepared(ahead.take(Lane::bulk), 1));
  verifier.hold(false);
  EXPECT_TRUE(prepared(ahead.take(Lane::live), 3));  // waited for
  EXPECT_EQ(ahead.size(Lane::live) + ahead.size(Lane::bulk), 0u);
}

TEST_F(ReadAheadTest, WithoutAKeyNothingIsPrepared) {
  ReadAhead ahead(security::make_openssl_verifier());
  for (int i = 0; i < 3; ++i) ahead.add(Lane::live, message(), nullptr);
  for (std::size_t n = 0; n < 3; ++n) EXPECT_FALSE(prepared(ahead.take(Lane::live), n));
}

TEST_F(ReadAheadTest, BothWorkOnManyInBothLanes) {
  ReadAhead ahead(security::make_openssl_verifier());
  std::vector<Bytes> sent[2], taken[2];
  for (int round = 0; round < 40; ++round) {
    for (const Lane lane : {Lane::live, Lane::bulk}) {
      for (int i = 0; i < 4; ++i) {
        Received next = message();
        sent[static_cast<std::size_t>(lane)].push_back(next.payload);
        ahead.add(lane, std::move(next), i == 2 ? nullptr : key());
      }
    }
    for (const Lane lane : {Lane::live, Lane::bulk}) {
      for (int i = 0; i < 3; ++i)
        taken[static_cast<std::size_t>(lane)].push_back(ahead.take(lane).payload);
    }
  }
  for (const Lane lane : {Lane::live, Lane::bulk}) {
    auto& all = taken[static_cast<std::size_t>(lane)];
    while (ahead.size(lane) > 0) all.push_back(ahead.take(lane).payload);
    EXPECT_EQ(all, sent[static_cast<std::size_t>(lane)]);
  }
}

TEST_F(ReadAheadTest, WhatWaitsMayBeLeftBehind) {
  auto held = std::make_unique<HeldVerifier>();
  HeldVerifier& verifier = *held;
  verifier.hold(true);
  auto ahead = std::make_unique<ReadAhead>(std::move(held));
  for (int i = 0; i < 50; ++i) ahead->add(Lane::bulk, message(), key());
  verifier.await();
  EXPECT_EQ(ahead->size(Lane::bulk), 50u);
  verifier.hold(false);
  ahead.reset();  // with the thread at work on one, and others waiting
}

}  // namespace
}  // namespace dunlin::runtime
