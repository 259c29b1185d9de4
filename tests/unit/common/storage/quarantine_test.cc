#include "common/storage/quarantine.h"

#include <cstring>

#include "tests/unit/common/storage/fleet_fixture.h"

namespace dunlin::storage {
namespace {

class QuarantineTest : public test::FleetTest {
 protected:
  static NodeId peer(std::uint8_t n) {
    NodeId node;
    node.bytes.fill(n);
    return node;
  }
  void keep(const NodeId& from, const Bytes& bytes, Errc reason = Errc::bad_hash,
            UtcMicros at = kStart) {
    Changes changes;
    changes.refused.push_back({from, reason, "why", at, std::make_shared<const Bytes>(bytes)});
    ASSERT_TRUE(store_->commit(changes).ok());
  }
  std::vector<Quarantine::Item> items() { return store_->quarantine().list().value(); }
};

TEST_F(QuarantineTest, KeepsWhatWasRefusedAndWhy) {
  keep(peer(1), Bytes(10, 'a'));
  keep(peer(2), Bytes(20, 'b'), Errc::bad_signature, kStart + 5);
  keep(peer(1), Bytes(10, 'a'), Errc::bad_hash, kStart + 7);  // the same once more
  const auto kept = items();
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].peer, peer(1));
  EXPECT_EQ(kept[0].reason, "bad_hash");
  EXPECT_EQ(kept[0].detail, "why");
  EXPECT_EQ(kept[0].times, 2u);
  EXPECT_EQ(kept[0].at, kStart + 7);
  EXPECT_EQ(kept[1].bytes, 20u);
  EXPECT_EQ(store_->quarantine().count().value(), 2u);
}

TEST_F(QuarantineTest, WhoHasMostThereLosesTheOldest) {
  keep(peer(1), Bytes(100, 'a'));
  Changes flood;
  const auto add = [&](std::uint8_t from, std::size_t size, std::uint32_t n) {
    Bytes all(size, 'x');
    std::memcpy(all.data(), &n, sizeof n);
    flood.refused.push_back(
        {peer(from), Errc::bad_hash, "", kStart, std::make_shared<const Bytes>(all)});
  };
  for (std::uint32_t n = 0; n < 300; ++n) add(2, 64 * 1024, n);
  for (std::uint32_t n = 0; n < 1100; ++n) add(3, 8, n);
  ASSERT_TRUE(store_->commit(flood).ok());
  const auto kept = items();
  EXPECT_LE(kept.size(), 1000u);
  std::uint64_t bytes = 0;
  for (const auto& item : kept) bytes += item.bytes;
  EXPECT_LE(bytes, 16u << 20);
  EXPECT_GT(kept.size(), 990u);
  EXPECT_EQ(kept.front().peer, peer(1)) << "who sent little is not pushed out";
  EXPECT_EQ(kept.back().peer, peer(3));
}

// Tiny ones cost a row each, and would be the last to go by their bytes alone.
TEST_F(QuarantineTest, TinyItemsPushOutNobodyElses) {
  Changes flood;
  const auto add = [&](std::uint8_t from, std::size_t size, std::uint32_t n) {
    Bytes all(size, 'x');
    std::memcpy(all.data(), &n, sizeof n);
    flood.refused.push_back(
        {peer(from), Errc::bad_hash, "", kStart, std::make_shared<const Bytes>(all)});
  };
  for (std::uint32_t n = 0; n < 10; ++n) add(1, 20'000, n);
  for (std::uint32_t n = 0; n < 1100; ++n) add(2, 4, n);
  ASSERT_TRUE(store_->commit(flood).ok());
  std::size_t others = 0;
  for (const Quarantine::Item& item : items()) others += item.peer == peer(1) ? 1U : 0U;
  EXPECT_EQ(others, 10u);
}

// By another process, while the store is open.
TEST_F(QuarantineTest, IsReleasedAndDiscardedById) {
  for (std::uint8_t n = 1; n <= 3; ++n) keep(peer(n), Bytes(n, 'a'));
  Connection other = Connection::open(path_, SQLITE_OPEN_READWRITE).value();
  Quarantine operators(other);
  EXPECT_TRUE(store_->quarantine().take_released()->empty());
  EXPECT_EQ(operators.release(2).value(), true);
  EXPECT_EQ(operators.release(9).value(), false);
  EXPECT_TRUE(items()[1].released);
  const auto released = store_->quarantine().take_released().value();
  ASSERT_EQ(released.size(), 1u);
  EXPECT_EQ(*released[0].bytes, Bytes(2, 'a'));
  EXPECT_EQ(released[0].peer, peer(2));
  EXPECT_EQ(items().size(), 2u);
  EXPECT_EQ(operators.discard(1).value(), true);
  EXPECT_EQ(operators.discard(1).value(), false);
  ASSERT_EQ(items().size(), 1u);
  EXPECT_EQ(items()[0].peer, peer(3));
}

TEST_F(QuarantineTest, ShowsBranchesThatLost) {
  test::Origin origin(*store_, 1);
  origin.append({test::integers(1, {{kStart, {1}}})});
  origin.flush();
  tamper("INSERT INTO forks(log, seq, hash, body) SELECT id, 7, x'00', x'0102' FROM logs LIMIT 1");
  const auto kept = items();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].id, 0);
  EXPECT_EQ(kept[0].reason, "fork");
  EXPECT_EQ(kept[0].detail, "from entry 7 on");
  EXPECT_EQ(store_->quarantine().count().value(), 0u);
}

}  // namespace
}  // namespace dunlin::storage
