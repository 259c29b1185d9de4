// Only whom the fleet's authority admitted gets anything in, whatever it says of itself.
#include "common/replication/members.h"

#include "common/security/certificate.h"
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
  static Bytes certificate(Authority& authority, const NodeKey& of, bool gateway,
                           const std::string& name) {
    const std::string role = gateway ? "gateway" : "agent";
    // Long over: that matters to connections alone.
    return authority.issue(of.public_key(), {"fleet", "default", role, name}, {0, 1'000'000})
        .value()
        .der();
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
  std::uint64_t untrusted() const {
    const auto& refused = replica_->stats().refused;
    return refused.contains("untrusted") ? refused.at("untrusted") : 0;
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

TEST_F(MembersTest, AreExaminedOnce) {
  struct Counting final : Admission {
    Result<Admitted> examine(ByteView) override {
      times += 1;
      return says;
    }
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
  EXPECT_TRUE(members.admit(hello).value());
  EXPECT_EQ(admission->times, 2);
  hello.name = "another";  // with the same certificate
  EXPECT_EQ(members.admit(hello).error().code, Errc::untrusted);
}

}  // namespace
}  // namespace dunlin::replication
