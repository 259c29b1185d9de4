// Only whom the fleet's authority admitted gets anything in, whatever it says of itself.
#include "common/replication/members.h"

#include "common/security/certificate.h"
#include "tests/simulation/keys.h"
#include "tests/unit/common/replication/replica_fixture.h"

namespace dunlin::replication {
namespace {

using namespace test;
using security::Authority;
using security::NodeKey;

Authority make_authority() {
  return Authority::create(NodeKey::generate().value(), "fleet", {0, 4'000'000'000'000'000})
      .value();
}

class MembersTest : public ReplicaTest {
 protected:
  ReplicaOptions closed(ReplicaOptions options) {
    options.admission = security::make_admission(authority_.certificate());
    options.certificate =
        certificate(authority_, *key_, options.role == Role::gateway, options.origin.name);
    return options;
  }
  static Bytes certificate(Authority& authority, const Signer& of, bool gateway,
                           const std::string& name) {
    return certificate(authority, of, {"fleet", "default", gateway ? "gateway" : "agent", name});
  }
  static Bytes certificate(Authority& authority, const Signer& of, const security::Member& member,
                           UtcMicros until = 1'000'000) {
    // Long over: that matters to connections alone.
    return authority.issue(of.public_key(), member, {0, until}).value().der();
  }
  void start_gateway() {
    start(closed(gateway_options()));
    serve();
    ASSERT_TRUE(step(LinkUp{}).ok());
    outputs_.clear();
  }
  // The peer says hello and pushes two entries; the readings that came in.
  std::uint64_t let_in(Peer& peer) {
    const std::uint64_t before = replica_->stats().readings_received;
    greet(peer, Role::agent);
    hear_live(peer, {peer.open(), peer.samples(2)});
    serve();
    return replica_->stats().readings_received - before;
  }
  std::uint64_t untrusted() const { return refused("untrusted"); }

  // The authority's log, as the broker retains it.
  Peer authority_log() {
    return Peer{Role::agent, NodeKey::from_pem(authority_.key().to_pem().value()).value()};
  }
  void hear_authority(Peer& from, const std::vector<SegmentRecord>& segments) {
    hear(TopicClass::authority, authority_.certificate().node(), from.segments(segments));
    serve();
  }
  static Revoke::End end_of(const SegmentRecord& record) {
    const SegmentInfo& info = record.info;
    return {info.log.epoch, info.log.track, info.last, info.after};
  }
  std::uint64_t refused(const std::string& reason) const {
    const auto& refused = replica_->stats().refused;
    return refused.contains(reason) ? refused.at(reason) : 0;
  }
  bool revoked(const NodeId& node) const {
    for (const NodeStatus& each : replica_->status(now_)) {
      if (each.node == node) return each.revoked;
    }
    return false;
  }
  bool publishes_authority() {
    bool found = false;
    for (const Send& send : take<Send>()) found = found || send.topic == TopicClass::authority;
    return found;
  }

  Authority authority_ = make_authority();
  Peer peer_{Role::agent};
};

TEST_F(MembersTest, ShowTheirCertificate) {
  start_gateway();
  EXPECT_EQ(let_in(peer_), 0u);
  EXPECT_GE(untrusted(), 2u);  // its Hello, its segments
  EXPECT_TRUE(store_->logs().size() == 1);
  EXPECT_TRUE(take<Send>().empty()) << "nobody answers a stranger";

  peer_.certificate = certificate(authority_, peer_.key(), false, "peer");
  const std::uint64_t before = untrusted();
  greet(peer_, Role::agent, {{peer_.log().epoch, kControlTrack, 1}});
  pass(100ms);
  EXPECT_EQ(sent<Fetch>().size(), 1u) << "what was refused is fetched";
  Peer other{Role::agent};
  other.certificate = certificate(authority_, other.key(), false, "peer");
  EXPECT_EQ(let_in(other), 2u);
  EXPECT_EQ(untrusted(), before);
}

TEST_F(MembersTest, ShowOneThatSaysTheSameOfThem) {
  start_gateway();
  const auto other_key = NodeKey::generate().value();
  Authority foreign = make_authority();
  for (const Bytes& shown : {certificate(foreign, peer_.key(), false, "peer"),
                             certificate(authority_, *other_key, false, "peer"),
                             certificate(authority_, peer_.key(), true, "peer"),
                             certificate(authority_, peer_.key(), false, "another"),
                             authority_.certificate().der(), Bytes{1, 2, 3}}) {
    Peer peer = peer_.twin();
    peer.certificate = shown;
    EXPECT_EQ(let_in(peer), 0u);
    EXPECT_EQ(status(peer.log()).head, 0u);
  }
  peer_.certificate = certificate(authority_, peer_.key(), false, "peer");
  EXPECT_EQ(let_in(peer_), 2u);
}

TEST_F(MembersTest, StayMembersWhenTheirHelloIsLost) {
  peer_.certificate = certificate(authority_, peer_.key(), false, "peer");
  start_gateway();
  ASSERT_EQ(let_in(peer_), 2u);
  start_gateway();
  hear_live(peer_, {peer_.samples()});
  serve();
  EXPECT_EQ(status(peer_.log()).head, 3u);
  EXPECT_EQ(untrusted(), 0u);
  // Under another authority what the former one said is worth nothing.
  authority_ = make_authority();
  start_gateway();
  hear_live(peer_, {peer_.samples()});
  serve();
  EXPECT_EQ(status(peer_.log()).head, 3u);
  EXPECT_GE(untrusted(), 1u);
}

// Nor does anybody but a gateway of the fleet let an origin forget.
TEST_F(MembersTest, AckAsGatewaysOnly) {
  start(closed(agent_options()));
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  store_entry();
  Peer gateway{Role::gateway};
  for (const bool as_gateway : {false, true}) {
    gateway.certificate = certificate(authority_, gateway.key(), as_gateway, "peer");
    greet(gateway, Role::gateway);
    acknowledge(gateway, own(), 1);
    pass(5min);  // what was acknowledged goes with the next write, or then
    serve();
    EXPECT_EQ(stored(own()).acked().contains(1), as_gateway);
  }
  EXPECT_GE(untrusted(), 2u);  // Hello and Vector
}

TEST_F(MembersTest, AreRevokedByTheAuthority) {
  peer_.certificate = certificate(authority_, peer_.key(), false, "peer");
  start_gateway();
  const std::vector<SegmentRecord> first{peer_.open(), peer_.define(1), peer_.samples(2)};
  const SegmentRecord counts = peer_.samples(3), beyond = peer_.samples(4);
  greet(peer_, Role::agent);
  hear_live(peer_, first);
  serve();
  outputs_.clear();

  Peer authority = authority_log();
  const std::vector<SegmentRecord> log{
      authority.open("fleet"),
      authority.control({Revoke{peer_.node(), {end_of(first[1]), end_of(counts)}}})};
  hear_authority(authority, log);
  EXPECT_TRUE(revoked(peer_.node()));
  const auto sends = take<Send>();
  EXPECT_TRUE(std::any_of(sends.begin(), sends.end(), [&](const Send& send) {
    return send.topic == TopicClass::hello && send.target == peer_.node() && send.payload.empty();
  })) << "its Hello is cleared";
  EXPECT_TRUE(std::none_of(sends.begin(), sends.end(), [&](const Send& send) {
    return send.topic == TopicClass::inbox && send.target == authority.node();
  })) << "the authority hears nobody";

  // It says what it likes; what it wrote before counts, whoever brings it, and now, too.
  for (int restarted = 0; restarted < 2; ++restarted) {
    greet(peer_, Role::agent);
    hear(TopicClass::gossip, peer_.node(), peer_.wrap(Vector{}));
    hear(TopicClass::inbox, peer_.node(), peer_.wrap(Fetch{1, 1000, {}}));
    EXPECT_EQ(refused("revoked"), 3u);
    hear_live(peer_, {counts});
    hear_live(peer_, {beyond});
    serve();
    EXPECT_EQ(refused("revoked"), 4u);
    EXPECT_EQ(status(peer_.log()).head, 5u);
    start_gateway();
    EXPECT_TRUE(revoked(peer_.node()));
    EXPECT_TRUE(take<Notice>().empty()) << "that is no news";
  }
  // Another branch of the same length is not what the authority meant.
  Peer twin = peer_.twin();
  (void)twin.open(), (void)twin.define(1);
  hear_live(peer_, {twin.samples(5, 50)});
  serve();
  EXPECT_EQ(refused("revoked"), 1u);
}

// Whoever comes later is to find no Hello of theirs, in whatever topic it stood.
TEST_F(MembersTest, LeaveNoHelloWhenTheyAreRevoked) {
  start_gateway();
  const auto cleared = [&](const NodeId& node) {
    std::vector<TopicClass> topics;
    for (const Send& send : take<Send>()) {
      if (send.target == node && send.payload.empty()) topics.push_back(send.topic);
    }
    return topics;
  };
  Peer agent{Role::agent}, keeper{Role::agent}, gateway{Role::gateway};
  keeper.capabilities = {std::string(kKeepsCell)};
  Peer authority = authority_log();
  std::vector<SegmentRecord> log{authority.open("fleet")};
  for (Peer* peer : {&agent, &keeper, &gateway}) {
    const TopicClass topic = presence_topic(peer != &agent);
    peer->certificate = certificate(authority_, peer->key(), peer == &gateway, peer->name);
    hear(topic, peer->node(), peer->hello());
    outputs_.clear();
    log.push_back(authority.control({Revoke{peer->node(), {}}}));
    hear_authority(authority, log);
    EXPECT_EQ(cleared(peer->node()), std::vector{topic});
    // Of a broker that lost what it was told.
    ASSERT_TRUE(step(Received{topic, peer->node(), peer->hello(), true}).ok());
    EXPECT_EQ(cleared(peer->node()), std::vector{topic});
  }
}

// What the authority saw stays, however small the hashes are that a thief finds.
TEST_F(MembersTest, CannotRewriteWhatCounts) {
  peer_.certificate = certificate(authority_, peer_.key(), false, "peer");
  const SegmentRecord open = peer_.open(), counts = peer_.samples(4);
  const auto first_hash = [](const SegmentRecord& record) {
    return entry_hashes(*parse_segment(*record.bytes))->at(record.info.first);
  };
  // A branch that would win, and ends before.
  SegmentRecord forged = counts;
  for (std::size_t noise = 9; first_hash(forged) >= first_hash(counts); ++noise) {
    Peer twin = peer_.twin();
    (void)twin.open();
    forged = twin.samples(3, noise);
  }
  Peer authority = authority_log();
  const std::vector<SegmentRecord> log{
      authority.open("fleet"),
      authority.control({Revoke{peer_.node(), {end_of(open), end_of(counts)}}})};
  start_gateway();
  hear_authority(authority, log);
  for (const SegmentRecord& record : {open, forged, counts, forged}) {
    hear_live(peer_, {record});
    serve();
  }
  EXPECT_EQ(stored(peer_.log()).head_hash(), counts.info.after);
  EXPECT_EQ(refused("revoked"), 2u);
}

// Nor does it fill a gap with entries of its own: its key proves nothing any more.
TEST_F(MembersTest, WriteNothingBelowTheirEndWhenTheyAreOut) {
  peer_.certificate = certificate(authority_, peer_.key(), false, "peer");
  const SegmentRecord open = peer_.open(), first = peer_.samples(4), last = peer_.samples(3);
  Peer authority = authority_log();
  const std::vector<SegmentRecord> log{
      authority.open("fleet"),
      authority.control({Revoke{peer_.node(), {end_of(open), end_of(last)}}})};
  Peer twin = peer_.twin();
  (void)twin.open();
  const SegmentRecord forged = twin.samples(4, 50);
  start_gateway();
  hear_authority(authority, log);
  for (const SegmentRecord& record : {open, first, forged}) {
    hear_live(peer_, {record});
    serve();
  }
  EXPECT_EQ(refused("revoked"), 2u);
  EXPECT_EQ(stored(peer_.log()).head(), 0u);
  for (const SegmentRecord& record : {last, forged, first}) {
    hear_live(peer_, {record});
    serve();
  }
  EXPECT_EQ(refused("revoked"), 3u);
  EXPECT_EQ(stored(peer_.log()).held(), set_of(1, 7));
  EXPECT_EQ(stored(peer_.log()).head_hash(), last.info.after);
}

// It is out before that is on the disk, and if the disk fails.
TEST_F(MembersTest, AreOutAtOnce) {
  peer_.certificate = certificate(authority_, peer_.key(), false, "peer");
  start_gateway();
  ASSERT_EQ(let_in(peer_), 2u);
  Peer authority = authority_log();
  hear(
      TopicClass::authority, authority.node(),
      authority.segments({authority.open("fleet"), authority.control({Revoke{peer_.node(), {}}})}));
  EXPECT_TRUE(revoked(peer_.node()));
  for (const Write& write : take<Write>()) fail(write);
  EXPECT_EQ(let_in(peer_), 0u);
}

// An agent lets go of nothing on the word of a gateway that was found out.
TEST_F(MembersTest, TheAcksOfARevokedGatewayCountNoMore) {
  ReplicaOptions options = closed(agent_options());
  options.uplink.archive.acks = 2;
  start(std::move(options));
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  Peer honest{Role::gateway}, rogue{Role::gateway};
  for (Peer* gateway : {&honest, &rogue}) {
    gateway->certificate = certificate(authority_, gateway->key(), true, "peer");
    greet(*gateway, Role::gateway);
  }
  store_entry();
  store_entry();
  acknowledge(honest, own(), 2);
  acknowledge(rogue, own(), 2);
  store_entry();
  EXPECT_EQ(stored(own()).acked(), set_of(1, 2));
  Peer authority = authority_log();
  hear_authority(authority,
                 {authority.open("fleet"), authority.control({Revoke{rogue.node(), {}}})});
  acknowledge(rogue, own(), 3);
  store_entry();
  EXPECT_EQ(stored(own()).acked(), IntervalSet{});
}

// Who may publish there makes nobody work for long.
TEST_F(MembersTest, TheAuthoritysLogIsDecodedWithinABound) {
  start_gateway();
  Peer authority = authority_log();
  std::vector<SegmentRecord> log{authority.open("fleet")};
  for (int n = 0; n < 60; ++n)
    log.push_back(authority.control(
        std::vector<Op>(300, TimeAnchor{1, std::string(120, 'x'), 1, 1'800'000'000'000'000, 1})));
  const std::uint64_t before = replica_->stats().decoded_bytes;
  hear_authority(authority, log);
  EXPECT_EQ(refused("too_large"), 1u);
  EXPECT_LT(replica_->stats().decoded_bytes - before, 2u << 20);
}

TEST_F(MembersTest, AreRevokedByNobodyElse) {
  peer_.certificate = certificate(authority_, peer_.key(), false, "peer");
  start_gateway();
  ASSERT_EQ(let_in(peer_), 2u);
  // In a member's own log, in a stranger's, in the authority's place, and with another signature.
  hear_live(peer_, {peer_.control({Revoke{peer_.node(), {}}})});
  serve();
  Peer stranger{Role::agent};
  hear_authority(stranger, {stranger.open(), stranger.control({Revoke{peer_.node(), {}}})});
  hear(TopicClass::authority, stranger.node(),
       stranger.segments({stranger.control({Revoke{peer_.node(), {}}})}));
  EXPECT_GE(untrusted(), 2u);
  Peer authority = authority_log();
  SegmentRecord open = authority.open(), forged = authority.control({Revoke{peer_.node(), {}}});
  Bytes bytes = *forged.bytes;
  bytes.back() ^= 1;
  forged.bytes = std::make_shared<const Bytes>(bytes);
  hear_authority(authority, {open, forged});
  EXPECT_FALSE(revoked(peer_.node()));
  hear_live(peer_, {peer_.samples()});
  serve();
  EXPECT_EQ(status(peer_.log()).head, 3u);
}

// A broker that lost what it retained, or shows an old one, is told.
TEST_F(MembersTest, AreToldOfTheAuthoritysLog) {
  start_gateway();
  pass(1min);
  EXPECT_FALSE(publishes_authority()) << "there is nothing to tell";
  Peer authority = authority_log();
  const SegmentRecord open = authority.open("fleet");
  const SegmentRecord revoke = authority.control({Revoke{peer_.node(), {}}});
  hear_authority(authority, {open, revoke});
  pass(1min);
  EXPECT_FALSE(publishes_authority()) << "it came from there";
  // An old one, one without its start, one that only looks longer, none.
  const NodeId at = authority_.certificate().node();
  Peer twin = authority_log();
  (void)twin.open("fleet");
  const SegmentRecord other = twin.control({TimeAnchor{}});
  const std::vector<std::vector<SegmentRecord>> lacking{{open}, {revoke}, {open, other}, {}};
  for (const auto& segments : lacking) {
    hear_authority(authority, segments);
    hear_authority(authority, {open, revoke});  // in another cell, say
    pass(10s);
    serve();
    EXPECT_TRUE(publishes_authority());
  }
  hear(TopicClass::authority, at, {});
  pass(10s);
  serve();
  EXPECT_TRUE(publishes_authority());
  ASSERT_TRUE(step(LinkDown{}).ok());
  ASSERT_TRUE(step(LinkUp{}).ok());
  pass(10s);
  serve();
  bool whole = false;
  for (const Send& send : take<Send>()) {
    if (send.topic != TopicClass::authority) continue;
    const auto envelope = decode_envelope(send.payload).value();
    whole = std::get<Segments>(envelope.message).segments.size() == 2;
  }
  EXPECT_TRUE(whole);
  // An agent keeps it, and leaves the telling to gateways.
  start(closed(agent_options()));
  serve();
  ASSERT_TRUE(step(LinkUp{}).ok());
  hear_authority(authority, {open});
  pass(1min);
  serve();
  EXPECT_FALSE(publishes_authority());
}

// A node that moved, or became another thing, is where its newest certificate says, now and after a
// restart: what it shows of before then, or somebody who kept an old Hello, changes nothing.
TEST_F(MembersTest, AreWhatTheirNewestCertificateSays) {
  const auto issued = [&](const std::string& cell, const std::string& role, UtcMicros until) {
    return certificate(authority_, peer_.key(), {"fleet", cell, role, "peer"}, until);
  };
  const Bytes first = issued("default", "keeper", 2'000'000),
              moved = issued("south", "keeper", 3'000'000),
              demoted = issued("south", "agent", 4'000'000);
  start_gateway();
  const auto kept = [&](const Bytes& shown) {
    peer_.certificate = shown;
    greet(peer_, Role::agent);
    serve();
    const auto contents = store_->load().value();
    for (const KnownNode& node : contents.nodes) {
      if (node.node == peer_.node()) return node.certificate;
    }
    return Bytes();
  };
  for (const bool restarted : {false, true}) {
    if (restarted) start_gateway();
    EXPECT_EQ(kept(first), restarted ? demoted : first);
    EXPECT_EQ(kept(moved), restarted ? demoted : moved);
    EXPECT_EQ(kept(first), restarted ? demoted : moved);
    EXPECT_EQ(kept(demoted), demoted);
    EXPECT_EQ(kept(moved), demoted);
  }
  EXPECT_EQ(untrusted(), 0u);
  Members members(security::make_admission(authority_.certificate()));
  Hello hello{.node = peer_.node(), .public_key = {}, .name = "peer", .certificate = moved};
  EXPECT_TRUE(members.admit(hello).value());
  EXPECT_TRUE(members.may_keep_cell(peer_.node()));
  hello.certificate = demoted;
  EXPECT_TRUE(members.admit(hello).value());
  hello.certificate = moved;
  EXPECT_FALSE(members.admit(hello).value());
  EXPECT_FALSE(members.may_keep_cell(peer_.node()));
}

TEST_F(MembersTest, AreExaminedOnce) {
  struct Counting final : Admission {
    const NodeId& authority() const override { return says.node; }
    Result<Admitted> examine(ByteView) override {
      times += 1;
      return says;
    }
    bool is_for(ByteView, std::string_view) const override { return true; }
    Admitted says;
    int times = 0;
  };
  const auto admission = std::make_shared<Counting>();
  Members members(admission);
  Hello hello{.node = peer_.node(), .public_key = {}, .name = "peer", .certificate = {1}};
  admission->says = {peer_.node(), false, "peer"};
  EXPECT_TRUE(members.admit(hello).value());
  EXPECT_FALSE(members.admit(hello).value());
  EXPECT_TRUE(members.check(peer_.node()).ok());
  EXPECT_EQ(admission->times, 1);
  hello.certificate = {2};  // renewed
  EXPECT_FALSE(members.admit(hello).value()) << "it says the same";
  EXPECT_EQ(admission->times, 2);
  hello.name = "another";  // with the same certificate
  EXPECT_EQ(members.admit(hello).error().code, Errc::untrusted);
}

// ---- introduced by others ----

class IntroducedTest : public testing::Test {
 protected:
  Bytes certificate(const Signer& of, Signer& by) {
    return simulation::fixed_certificate(by, {of.node(), false, "far"});
  }
  Hello hello_of(const Signer& node, Bytes shown) {
    Hello hello;
    hello.node = node.node();
    hello.name = "far";
    hello.certificate = std::move(shown);
    return hello;
  }

  std::unique_ptr<Signer> authority_ = simulation::authority_key(true);
  std::unique_ptr<Verifier> verifier_ = simulation::make_light_verifier();
  std::unique_ptr<Signer> far_ = simulation::light_key(1);
  Members members_{simulation::make_admission(*authority_, *verifier_)};
};

TEST_F(IntroducedTest, AreKnownByTheirCertificateAlone) {
  EXPECT_FALSE(members_.knows(far_->node()));
  EXPECT_EQ(members_.certificate_of(far_->node()), nullptr);
  EXPECT_EQ(members_.check(far_->node()).error().code, Errc::untrusted);
  const Bytes shown = certificate(*far_, *authority_);
  EXPECT_EQ(members_.introduce(shown).value(), far_->node());
  EXPECT_TRUE(members_.knows(far_->node()));
  EXPECT_TRUE(members_.check(far_->node()).ok());
  ASSERT_NE(members_.certificate_of(far_->node()), nullptr);
  EXPECT_EQ(*members_.certificate_of(far_->node()), shown);
  EXPECT_EQ(members_.introduce(shown).value(), std::nullopt) << "that is no news";
}

TEST_F(IntroducedTest, AreNotByWhatTheAuthorityDidNotSign) {
  const std::unique_ptr<Signer> foreign = simulation::light_key(99);
  EXPECT_FALSE(members_.introduce(certificate(*far_, *foreign)).ok());
  EXPECT_FALSE(members_.introduce(Bytes{1, 2, 3}).ok());
  EXPECT_FALSE(members_.introduce(Bytes{}).ok());
  EXPECT_FALSE(members_.knows(far_->node()));
}

TEST_F(IntroducedTest, AreWhoTheySaidTheyWere) {
  const Bytes own = certificate(*far_, *authority_);
  ASSERT_TRUE(members_.admit(hello_of(*far_, own)).value());
  const Bytes other = simulation::fixed_certificate(*authority_, {far_->node(), true, "far"});
  EXPECT_EQ(members_.introduce(other).value(), std::nullopt);
  EXPECT_EQ(*members_.certificate_of(far_->node()), own) << "others change nothing of it";
}

// Nor does a Hello tell anything new of them.
TEST_F(IntroducedTest, AreNoNewsWhenTheySayHello) {
  const Bytes shown = certificate(*far_, *authority_);
  ASSERT_TRUE(members_.introduce(shown).ok());
  EXPECT_FALSE(members_.admit(hello_of(*far_, shown)).value());
}

TEST_F(IntroducedTest, AreIntroducedToNobodyOnceTheyAreOut) {
  const Bytes shown = certificate(*far_, *authority_);
  ASSERT_TRUE(members_.introduce(shown).ok());
  members_.revoke(Hlc::of(1, 0), {far_->node(), {}});
  EXPECT_EQ(members_.certificate_of(far_->node()), nullptr);
  EXPECT_EQ(members_.introduce(shown).error().code, Errc::revoked);
  EXPECT_TRUE(members_.knows(far_->node()));
  // Who is out before anybody knew it is known for that.
  const std::unique_ptr<Signer> other = simulation::light_key(2);
  members_.revoke(Hlc::of(1, 0), {other->node(), {}});
  EXPECT_TRUE(members_.knows(other->node()));
  EXPECT_EQ(members_.introduce(certificate(*other, *authority_)).error().code, Errc::revoked);
}

// What storage kept may be of another authority, whose word counts no more.
TEST_F(IntroducedTest, AreMetAnewUnderAnotherAuthority) {
  const std::unique_ptr<Signer> former = simulation::light_key(99);
  members_.start(far_->node(), certificate(*far_, *former));
  EXPECT_EQ(members_.certificate_of(far_->node()), nullptr);
  EXPECT_FALSE(members_.knows(far_->node()));
  EXPECT_EQ(members_.introduce(certificate(*far_, *authority_)).value(), far_->node());
  members_.start(far_->node(), {});
  EXPECT_TRUE(members_.knows(far_->node()));
}

TEST_F(IntroducedTest, AllAreKnownInAnOpenFleet) {
  Members open{nullptr};
  EXPECT_TRUE(open.knows(far_->node()));
  EXPECT_EQ(open.introduce(Bytes{1}).value(), std::nullopt);
  EXPECT_EQ(open.certificate_of(far_->node()), nullptr);
  EXPECT_EQ(open.authority(), nullptr);
  EXPECT_TRUE(members_.knows(authority_->node()));
}

}  // namespace
}  // namespace dunlin::replication
