#include "common/replication/prepared.h"

#include <algorithm>

#include "tests/unit/common/replication/replica_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;

class CountingVerifier final : public Verifier {
 public:
  Result<void> verify(ByteView key, ByteView message, const Signature& signature) override {
    checks += 1;
    return verifier_->verify(key, message, signature);
  }
  std::size_t checks = 0;

 private:
  std::unique_ptr<Verifier> verifier_ = security::make_mbedtls_verifier();
};

// A gateway that knows a peer with entries 1 and 2 of its track 0.
class PreparedTest : public ReplicaTest {
 protected:
  void SetUp() override {
    auto counted = std::make_unique<CountingVerifier>();
    counted_ = counted.get();
    verifier_ = std::move(counted);
    start(gateway_options());
    ASSERT_TRUE(step(LinkUp{}).ok());
    greet(peer_, Role::agent);
    hear_live(peer_, {peer_.open(), peer_.define(1)});
    serve();
    ASSERT_NE(replica_->key_of(peer_.node()), nullptr);
    outputs_.clear();
  }
  Prepared prepared(const Bytes& message) { return prepared(message, peer_.key().public_key()); }
  Prepared prepared(const Bytes& message, const Bytes& key) {
    return Prepared(message, peer_.node(), key, *ahead_);
  }
  void hear_prepared(const Bytes& message, Prepared prepared) {
    (void)step(Received{TopicClass::live, peer_.node(), message, false, 0, std::move(prepared)});
    serve();
  }
  // The same segment but for one bit of its signature.
  static SegmentRecord forged(SegmentRecord segment) {
    Bytes bytes = *segment.bytes;
    bytes.back() ^= 1;
    segment.bytes = std::make_shared<const Bytes>(std::move(bytes));
    return segment;
  }

  Peer peer_;
  std::unique_ptr<Verifier> ahead_ = security::make_openssl_verifier();
  CountingVerifier* counted_ = nullptr;  // the replica's
};

TEST_F(PreparedTest, HoldsWhatSegmentsDecodeToButNoEntries) {
  const SegmentRecord one = peer_.samples(3), two = peer_.samples(2);
  const Prepared all = prepared(peer_.segments({one, two}));
  for (const SegmentRecord& segment : {one, two}) {
    // As the replica has it: bytes of its own.
    const auto* found = all.find(std::make_shared<const Bytes>(*segment.bytes));
    ASSERT_NE(found, nullptr);
    ASSERT_TRUE(found->decoded.ok());
    EXPECT_EQ(found->decoded->info.interval(), segment.info.interval());
    EXPECT_EQ(found->decoded->info.after, segment.info.after);
    EXPECT_EQ(found->decoded->info.readings, segment.info.readings);
    EXPECT_TRUE(found->decoded->entries.empty());
    const Result<void>* signature = all.signature(segment.bytes, peer_.key().public_key());
    ASSERT_NE(signature, nullptr);
    EXPECT_TRUE(signature->ok());
  }
  EXPECT_GT(all.cost(), 0u);
  EXPECT_EQ(all.find(peer_.samples().bytes), nullptr);
}

TEST_F(PreparedTest, LeavesTrack0AndWhatIsNoSegmentsAlone) {
  const SegmentRecord define = peer_.define(2);
  EXPECT_EQ(prepared(peer_.segments({define})).find(define.bytes), nullptr);
  EXPECT_EQ(prepared(peer_.vector({})).cost(), 0u);
  EXPECT_EQ(prepared(Bytes(300, 0xff)).cost(), 0u);
}

TEST_F(PreparedTest, ChecksSignaturesOfWhatIsPushedByTheirOriginAlone) {
  const SegmentRecord own = peer_.samples();
  const Bytes& key = peer_.key().public_key();
  EXPECT_NE(prepared(peer_.segments({own})).signature(own.bytes, key), nullptr);
  EXPECT_EQ(prepared(peer_.segments({own}, 7)).signature(own.bytes, key), nullptr);
  Peer other;
  (void)other.open();
  const SegmentRecord foreign = other.samples();
  const Prepared handed_on = prepared(peer_.segments({foreign}));
  EXPECT_NE(handed_on.find(foreign.bytes), nullptr);
  EXPECT_EQ(handed_on.signature(foreign.bytes, key), nullptr);
  const SegmentRecord bad = forged(own);
  const Prepared refused = prepared(peer_.segments({bad}));
  ASSERT_NE(refused.signature(bad.bytes, key), nullptr);
  EXPECT_EQ(refused.signature(bad.bytes, key)->error().code, Errc::bad_signature);
  // There is a bound to that.
  std::vector<SegmentRecord> many;
  for (int i = 0; i < 40; ++i) many.push_back(peer_.samples());
  const Prepared some = prepared(peer_.segments(many));
  const auto checked = std::count_if(many.begin(), many.end(), [&](const SegmentRecord& segment) {
    return some.signature(segment.bytes, key) != nullptr;
  });
  EXPECT_EQ(checked, 16);
}

TEST_F(PreparedTest, DecodesNoMoreOfAMessageThanAReplica) {
  std::vector<SegmentRecord> many;
  for (int i = 0; i < 8; ++i) many.push_back(peer_.packed());  // some 800 KB each
  const Prepared some = prepared(peer_.segments(many));
  EXPECT_EQ(some.find(many.back().bytes), nullptr);
  const std::uint64_t before = replica_->stats().decoded_bytes;
  hear_live(peer_, many);
  EXPECT_EQ(replica_->stats().decoded_bytes - before, some.cost());
}

TEST_F(PreparedTest, SparesAReplicaItsWork) {
  const SegmentRecord good = peer_.samples(3);
  const std::uint64_t decoded = replica_->stats().decoded_bytes;
  const std::uint64_t verified = replica_->stats().signatures_verified;
  const std::size_t checks = counted_->checks;
  const Bytes message = peer_.segments({good});
  hear_prepared(message, prepared(message));
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 3));
  EXPECT_EQ(counted_->checks, checks);
  EXPECT_EQ(replica_->stats().signatures_verified, verified + 1);
  EXPECT_GT(replica_->stats().decoded_bytes, decoded);

  const Bytes bad = peer_.segments({forged(peer_.samples())});
  hear_prepared(bad, prepared(bad));
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 3));
  EXPECT_EQ(replica_->stats().refused.at("bad_signature"), 1u);
  EXPECT_EQ(replica_->stats().quarantined.at("bad_signature"), 1u);
  EXPECT_EQ(counted_->checks, checks);
}

// Whatever comes beside a message: what counts is what its bytes say.
TEST_F(PreparedTest, OfOtherBytesItIsOfNoUse) {
  Peer twin = peer_.twin();
  (void)twin.open(), (void)twin.define(1);
  const SegmentRecord real = peer_.samples(3), other = twin.samples(3, 50);
  ASSERT_EQ(real.info.interval(), other.info.interval());
  ASSERT_NE(real.info.after, other.info.after);
  const Prepared of_other = prepared(twin.segments({other}));
  ASSERT_TRUE(of_other.signature(other.bytes, peer_.key().public_key())->ok());

  (void)step(Received{TopicClass::live, peer_.node(), peer_.segments({real}), false, 0, of_other});
  const std::vector<Write> writes = take<Write>();
  ASSERT_EQ(writes.size(), 1u);
  ASSERT_EQ(writes[0].segments.size(), 1u);
  EXPECT_EQ(writes[0].segments[0].info.after, real.info.after);
  EXPECT_EQ(*writes[0].segments[0].bytes, *real.bytes);
  finish(writes[0]);

  const SegmentRecord next = peer_.samples();
  hear_prepared(peer_.segments({forged(next)}), prepared(peer_.segments({next})));
  EXPECT_EQ(replica_->stats().refused.at("bad_signature"), 1u);
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 3));
}

TEST_F(PreparedTest, UnderAnotherKeyItSaysNothingOfTheSignature) {
  Peer other;
  const SegmentRecord good = peer_.samples(), bad = forged(peer_.samples());
  for (const SegmentRecord& segment : {good, bad}) {
    const std::size_t checks = counted_->checks;
    const Bytes message = peer_.segments({segment});
    hear_prepared(message, prepared(message, other.key().public_key()));
    EXPECT_EQ(counted_->checks, checks + 1);
  }
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 1));
  EXPECT_EQ(replica_->stats().refused.at("bad_signature"), 1u);
}

TEST_F(PreparedTest, KeysAreOfThoseInReachAlone) {
  EXPECT_EQ(*replica_->key_of(peer_.node()), peer_.key().public_key());
  EXPECT_EQ(replica_->key_of(Peer().node()), nullptr);
  EXPECT_EQ(replica_->key_of(replica_->self()), nullptr);
  hear(TopicClass::hello, peer_.node(), peer_.hello(NodeState::down));
  EXPECT_EQ(replica_->key_of(peer_.node()), nullptr);
}

}  // namespace
}  // namespace dunlin::replication
