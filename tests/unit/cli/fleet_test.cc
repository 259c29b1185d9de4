#include "cli/fleet.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include "cli/broker_files.h"
#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/log/limits.h"
#include "common/replication/envelope.h"
#include "common/security/locked_key.h"
#include "tests/support/temp_dir.h"

namespace dunlin::cli {
namespace {

constexpr UtcMicros kNow = 1'800'000'000'000'000;

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class FleetTest : public testing::Test {
 protected:
  Fleet create() {
    return Fleet::create(
               path_, {"mountain", {"broker.example.org", "10.0.0.1"}, 8883, "https://gate:7443"},
               kNow)
        .value();
  }

  test::TempDir folder_;
  std::string path_ = folder_.file("fleet");
};

TEST_F(FleetTest, IsOpenedAsItWasMade) {
  const Bytes made = create().authority().der();
  const Fleet opened = Fleet::open(path_).value();
  EXPECT_EQ(opened.name(), "mountain");
  EXPECT_EQ(opened.addresses(),
            (security::Addresses{"mqtts://broker.example.org:8883", "https://gate:7443"}));
  EXPECT_EQ(opened.authority().der(), made);
  EXPECT_EQ(std::filesystem::status(path_ + "/authority.key").permissions(),
            std::filesystem::perms(0600));
  const auto again = Fleet::create(path_, {"valley", {"b"}}, kNow);
  EXPECT_EQ(again.error().code, Errc::exists);
  EXPECT_EQ(Fleet::open(folder_.file("none")).error().code, Errc::not_found);
}

TEST_F(FleetTest, IsMadeOnceMoreWhenThatWasCutShort) {
  const Fleet::Plan plan{"mountain", {"b"}};
  create();
  std::filesystem::remove(path_ + "/authority.key");  // the last file
  {
    Fleet fleet = Fleet::create(path_, plan, kNow).value();
    EXPECT_TRUE(fleet.add({"mountain", "north", "agent", "pond"}, kNow, 10).ok());
  }
  // Somebody's key is elsewhere: the fleet has members.
  std::filesystem::remove(path_ + "/authority.key");
  EXPECT_EQ(Fleet::create(path_, plan, kNow).error().code, Errc::exists);
  EXPECT_TRUE(Fleet::open(path_)->revocations().ok());
}

TEST_F(FleetTest, IsMadeOnceByTwo) {
  const Fleet::Plan plan{"mountain", {"b"}};
  auto other =
      std::async(std::launch::async, [&] { return Fleet::create(path_, plan, kNow).ok(); });
  const bool own = Fleet::create(path_, plan, kNow).ok();
  EXPECT_NE(own, other.get());
  EXPECT_TRUE(Fleet::open(path_)->unlock().ok());
}

TEST_F(FleetTest, APassphraseKeepsTheAuthoritysKey) {
  ASSERT_TRUE(Fleet::create(path_, {"mountain", {"b"}, 8883, "", "correct horse"}, kNow).ok());
  EXPECT_TRUE(security::is_locked(read(path_ + "/authority.key")));
  const security::Member pond{"mountain", "north", "agent", "pond"};
  int asked = 0;
  std::string typed = "correct";
  const Fleet::Passphrase passphrase = [&]() -> Result<std::string> { return ++asked, typed; };
  // Who reads only needs none.
  EXPECT_TRUE(Fleet::open(path_)->members().ok());
  EXPECT_TRUE(Fleet::open(path_)->revocations().ok());
  EXPECT_EQ(Fleet::open(path_)->add(pond, kNow, 10).error().code, Errc::invalid_argument);
  EXPECT_EQ(Fleet::open(path_, passphrase)->add(pond, kNow, 10).error().code, Errc::untrusted);
  EXPECT_TRUE(Fleet::open(path_)->members()->empty());
  typed = "correct horse", asked = 0;
  Fleet fleet = Fleet::open(path_, passphrase).value();
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(fleet.add(pond, kNow, 10).ok());
  EXPECT_TRUE(fleet.revoke(NodeId{}, {}, kNow).ok());
  EXPECT_EQ(asked, 1);
}

TEST_F(FleetTest, RotatesWhatIsInDailyUse) {
  Fleet fleet = create();
  const auto certificate = [&](const std::string& name) {
    return security::Certificate::from_pem(read(path_ + name)).value();
  };
  const auto key = [&](const std::string& name) {
    return security::NodeKey::from_pem(read(path_ + name)).value()->public_key();
  };
  const security::Certificate authority = fleet.authority();
  const security::Certificate operator_before = certificate("/operator.crt");
  const security::Certificate broker_before = certificate("/broker/broker.crt");
  const auto pond = fleet.add({"mountain", "north", "agent", "pond"}, kNow, 10).value();
  constexpr UtcMicros kLater = kNow + 86'400'000'000;
  ASSERT_TRUE(fleet.rotate(kLater).ok());
  EXPECT_TRUE(succeeds(fleet.authority(), authority));
  for (const char* name : {"/authority.crt", "/broker/fleet.crt"})
    EXPECT_EQ(certificate(name).der(), fleet.authority().der()) << name;
  EXPECT_EQ(security::read_addresses(read(path_ + "/authority.crt")), fleet.addresses());
  for (const auto& [name, before] :
       {std::pair("/operator", operator_before), std::pair("/broker/broker", broker_before)}) {
    const security::Certificate now = certificate(std::string(name) + ".crt");
    EXPECT_NE(now.public_key(), before.public_key()) << name;
    EXPECT_EQ(now.public_key(), key(std::string(name) + ".key")) << name;
    EXPECT_EQ(now.member(), before.member()) << name;
    EXPECT_EQ(now.hosts(), before.hosts()) << name;
    EXPECT_TRUE(verify(now, authority, kLater).ok()) << name;
  }
  // The former operator is out, at the broker and everywhere; members stay.
  EXPECT_TRUE(fleet.revocations()->contains(operator_before.node()));
  const std::string rights = read(path_ + "/broker/acl");
  EXPECT_EQ(rights.find(operator_before.node().to_string()), std::string::npos);
  EXPECT_NE(rights.find(certificate("/operator.crt").node().to_string()), std::string::npos);
  EXPECT_NE(rights.find(pond.membership.certificate.node().to_string()), std::string::npos);
  // And it works on.
  EXPECT_TRUE(fleet.add({"mountain", "north", "agent", "lake"}, kLater, 10).ok());
  EXPECT_TRUE(fleet.rotate(kLater + 1'000'000).ok());
}

TEST_F(FleetTest, RefusesNamesThatAreNoTopics) {
  EXPECT_EQ(Fleet::create(path_, {"a/b", {"b"}}, kNow).error().code, Errc::invalid_argument);
  EXPECT_EQ(Fleet::create(path_, {"a", {}}, kNow).error().code, Errc::invalid_argument);
  for (const char* host : {"::1", "a/b", "me@b", ""})
    EXPECT_EQ(Fleet::create(path_, {"a", {host}}, kNow).error().code, Errc::invalid_argument);
  Fleet fleet = create();
  for (const char* cell : {"", "north,", "a/b", "+"})
    EXPECT_EQ(fleet.add({"mountain", cell, "agent", "a"}, kNow, 10).error().code,
              Errc::invalid_argument)
        << cell;
}

TEST_F(FleetTest, KnowsItsMembers) {
  Fleet fleet = create();
  const auto pond = fleet.add({"mountain", "north", "agent", "pond"}, kNow, 10).value();
  const auto gate = fleet.add({"mountain", "north,south", "gateway", "gate"}, kNow, 10).value();
  EXPECT_EQ(fleet.add({"mountain", "north", "agent", "pond"}, kNow, 10).error().code, Errc::exists);
  EXPECT_TRUE(fleet.add({"mountain", "south", "agent", "pond"}, kNow, 10).ok());
  const auto members = fleet.members().value();
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[0].der(), pond.membership.certificate.der());
  EXPECT_EQ(members[1].der(), gate.membership.certificate.der());
  const security::Certificate& certificate = pond.membership.certificate;
  EXPECT_TRUE(verify(certificate, fleet.authority(), kNow).ok());
  EXPECT_EQ(verify(certificate, fleet.authority(), kNow + 11LL * 86'400'000'000).error().code,
            Errc::expired);
  // Somebody else's certificate among them is no member's.
  const security::Authority other =
      security::Authority::create(security::NodeKey::generate().value(), "mountain", {0, 2 * kNow})
          .value();
  std::ofstream(path_ + "/members/x.crt") << other.certificate().to_pem();
  EXPECT_EQ(fleet.members().error().code, Errc::untrusted);
}

TEST_F(FleetTest, TheBrokerIsTrustedFrom1970On) {
  (void)create();
  const auto broker = security::Certificate::from_pem(read(path_ + "/broker/broker.crt")).value();
  EXPECT_TRUE(verify(broker, Fleet::open(path_)->authority(), 1).ok());
  EXPECT_EQ(broker.member()->role, "broker");
}

TEST_F(FleetTest, RightsAreThoseOfTheTopics) {
  Fleet fleet = create();
  const auto pond = fleet.add({"mountain", "north", "agent", "pond"}, kNow, 10).value();
  const auto gate = fleet.add({"mountain", "north,south", "gateway", "gate"}, kNow, 10).value();
  const std::string p = pond.membership.certificate.node().to_string();
  const std::string g = gate.membership.certificate.node().to_string();
  const std::string root = "dunlin/v1/mountain/";
  const std::string a = fleet.authority().node().to_string();
  const auto me = security::Certificate::from_pem(read(path_ + "/operator.crt")).value();
  std::string expected = "# By dunlin, anew with every member.\n\n# the operator\nuser ";
  expected += me.node().to_string();
  expected += "\ntopic readwrite " + root + "+/authority/" + a + "\ntopic read $SYS/broker/#\n";
  expected += "\n# agent pond\nuser " + p + "\n";
  for (const std::string& line :
       {"read " + root + "north/inbox/" + p + "/+", "read " + root + "north/authority/+",
        "read " + root + "north/hello/" + p, "read " + root + "north/gate/+",
        "write " + root + "north/hello/" + p, "write " + root + "north/live/" + p,
        "write " + root + "north/gossip/" + p, "write " + root + "north/bulk/" + p,
        "write " + root + "north/inbox/" + g + "/" + p})
    expected += "topic " + line + "\n";
  const std::string rights = read(path_ + "/broker/acl");
  EXPECT_EQ(rights.substr(0, expected.size()), expected);
  for (const std::string cell : {"north", "south"}) {
    const std::string at = root + cell + "/";
    for (const std::string& line :
         {"read " + at + "live/+", "read " + at + "hello/+", "write " + at + "gate/" + g,
          "write " + at + "hello/+", "write " + at + "gate/+", "write " + at + "authority/" + a,
          "write " + at + "inbox/+/" + g})
      EXPECT_NE(rights.find("topic " + line + "\n"), std::string::npos) << line;
  }
}

// It hears its cell and writes to whoever is there; a keeper of another cell does so there.
TEST_F(FleetTest, AKeeperHasTheRightsOfItsCell) {
  Fleet fleet = create();
  const auto keeper = fleet.add({"mountain", "north", "keeper", "pump"}, kNow, 10).value();
  const auto pond = fleet.add({"mountain", "north", "agent", "pond"}, kNow, 10).value();
  const std::string k = keeper.membership.certificate.node().to_string();
  const std::string p = pond.membership.certificate.node().to_string();
  const std::string rights = read(path_ + "/broker/acl"), at = "dunlin/v1/mountain/north/";
  for (const std::string& line :
       {"read " + at + "hello/+", "read " + at + "live/+", "read " + at + "bulk/+",
        "read " + at + "gossip/+", "write " + at + "inbox/+/" + k, "write " + at + "gate/" + k,
        "write " + at + "live/" + k, "write " + at + "gossip/" + k,
        "write " + at + "inbox/" + k + "/" + p})
    EXPECT_NE(rights.find("topic " + line + "\n"), std::string::npos) << line;
  for (const std::string& more :
       {"write " + at + "hello/+", "write " + at + "gate/+", std::string("_core"),
        std::string("south"), "write " + at + "authority"})
    EXPECT_EQ(rights.find(more), std::string::npos) << more;
  EXPECT_FALSE(fleet.add({"mountain", "north,south", "keeper", "both"}, kNow, 10).ok());
  EXPECT_FALSE(fleet.add({"mountain", "_core", "keeper", "nowhere"}, kNow, 10).ok());
  EXPECT_FALSE(fleet.add({"mountain", "north,_core", "agent", "pond"}, kNow, 10).ok());
}

// It hears the backbone, too, and writes to gateways there.
TEST_F(FleetTest, AKeeperOfTheFleetHasTheRightsOfTheBackbone) {
  Fleet fleet = create();
  const auto keeper = fleet.add({"mountain", "north,_core", "keeper", "display"}, kNow, 10).value();
  const std::string k = keeper.membership.certificate.node().to_string();
  const std::string rights = read(path_ + "/broker/acl"), at = "dunlin/v1/mountain/_core/";
  for (const std::string& line :
       {"read " + at + "live/+", "read " + at + "bulk/+", "read " + at + "gossip/+",
        "read " + at + "gate/+", "write " + at + "gate/" + k, "write " + at + "gossip/" + k,
        "write " + at + "inbox/+/" + k})
    EXPECT_NE(rights.find("topic " + line + "\n"), std::string::npos) << line;
}

// Killed behind the append: the log says so, the broker's files do not.
TEST_F(FleetTest, PublishingWritesTheRightsAnew) {
  Fleet fleet = create();
  const std::string file = path_ + "/broker/acl", rights = read(file);
  std::ofstream(file) << "of before";
  EXPECT_TRUE(std::move(fleet).publish().ok());  // to nobody: there are no members
  EXPECT_EQ(read(file), rights);
}

// While somebody is that member; who was it may come back.
TEST_F(FleetTest, InvitesWhoseCertificateIsOver) {
  Fleet fleet = create();
  const security::Member pond{"mountain", "north", "agent", "pond"};
  const security::Bundle made = fleet.add(pond, kNow, 10).value();
  const UtcMicros until = made.membership.certificate.validity().until;
  EXPECT_EQ(fleet.check_inviting(pond, until).error().code, Errc::exists);
  EXPECT_TRUE(fleet.check_inviting(pond, until + 1).ok());
  EXPECT_TRUE(fleet.check_free(pond, made.membership.certificate.node()).ok());
  EXPECT_EQ(fleet.check_free(pond, NodeId{}).error().code, Errc::exists);
}

TEST_F(FleetTest, RevokedMembersHaveNoRightsAndLeaveTheirName) {
  Fleet fleet = create();
  const auto pond = fleet.add({"mountain", "north", "agent", "pond"}, kNow, 10).value();
  const NodeId node = pond.membership.certificate.node();
  EXPECT_NE(read(path_ + "/broker/acl").find(node.to_string()), std::string::npos);
  const Revoke::End end{Epoch{7}, kSamplesTrack, 30, sha256(as_bytes("thirty"))};
  ASSERT_TRUE(fleet.revoke(node, {end}, kNow).ok());
  EXPECT_EQ(read(path_ + "/broker/acl").find(node.to_string()), std::string::npos);
  EXPECT_EQ(fleet.revocations()->at(node), (Revoke{node, {end}}));
  EXPECT_TRUE(fleet.add({"mountain", "north", "agent", "pond"}, kNow, 10).ok());
  // With a clock that went back, the later word counts.
  ASSERT_TRUE(fleet.revoke(node, {}, kNow - 1'000'000'000).ok());
  EXPECT_TRUE(fleet.revocations()->at(node).ends.empty());
}

TEST_F(FleetTest, NamesMembersThatCanBe) {
  Fleet fleet = create();
  const auto fault = [&](const security::Member& member) {
    return fleet.add(member, kNow, 10).error().code;
  };
  for (const std::string& name : {std::string(), std::string(129, 'x'), std::string("a\ntopic #"),
                                  std::string("\xff"), std::string("a\x7f")})
    EXPECT_EQ(fault({"mountain", "north", "agent", name}), Errc::invalid_argument);
  EXPECT_EQ(fault({"mountain", "north,south", "agent", "a"}), Errc::invalid_argument);
  EXPECT_EQ(fault({"mountain", "north/+", "agent", "a"}), Errc::invalid_argument);
  EXPECT_TRUE(fleet.add({"mountain", "north", "agent", "Gewächshaus 7"}, kNow, 10).ok());
}

// A log that began anew would forget who was revoked.
TEST_F(FleetTest, ALostOrDamagedLogIsNotBegunAnew) {
  Fleet fleet = create();
  ASSERT_TRUE(fleet.revoke(NodeId{}, {}, kNow).ok());
  const std::string path = path_ + "/log.db";
  for (const char* side : {"-wal", "-shm"}) std::filesystem::remove(path + side);
  std::filesystem::rename(path, path + ".away");
  EXPECT_EQ(fleet.revocations().error().code, Errc::not_found);
  std::string damaged = read(path + ".away");
  std::fill(damaged.begin() + 100, damaged.begin() + 4096, 'x');
  std::ofstream(path) << damaged;
  EXPECT_EQ(fleet.revocations().error().code, Errc::corrupt);
  EXPECT_EQ(fleet.revocations().error().code, Errc::corrupt) << "nor the second time";
  EXPECT_EQ(read(path), damaged);
  std::filesystem::remove(path);
  std::filesystem::rename(path + ".away", path);
  EXPECT_EQ(fleet.revocations()->size(), 1u);
}

// Some 900 in all, as SECURITY.md says.
TEST_F(FleetTest, ARevocationTakes125Bytes) {
  const auto key = security::NodeKey::generate().value();
  AuthorityLog log =
      AuthorityLog::create(folder_.file("authority.db"), *key, kNow, "mountain").value();
  constexpr std::size_t kRevoked = 100;
  std::vector<Revoke::End> ends(2);  // control and samples
  for (std::size_t n = 0; n < kRevoked; ++n) {
    NodeId node;
    security::random_bytes(node.bytes);
    for (Revoke::End& end : ends) {
      end.epoch.value = security::random_u64();
      end.last = 1'000'000 + n;
      security::random_bytes(end.hash);
    }
    ASSERT_TRUE(log.append(kNow, Revoke{node, ends}, *key).ok());
  }
  EXPECT_EQ(log.revocations()->size(), kRevoked);
  const Bytes message = log.message().value();
  EXPECT_LT(message.size(), 125 * kRevoked);
  EXPECT_GE(kAuthorityLogBytesMax / 125, 900u);
}

TEST_F(FleetTest, AFullLogOfTheAuthorityStaysWhole) {
  Fleet fleet = create();
  std::vector<Revoke::End> ends(256);
  for (std::size_t i = 0; i < ends.size(); ++i) ends[i].hash = sha256(as_bytes(std::to_string(i)));
  Result<void> done;
  std::size_t revoked = 0;
  for (std::uint8_t n = 0; n < 40 && done.ok(); ++n) {
    NodeId node;
    node.bytes.fill(n);
    done = fleet.revoke(node, ends, kNow);
    revoked += done.ok();
  }
  EXPECT_EQ(done.error().code, Errc::too_large);
  EXPECT_GT(revoked, 5u);
  EXPECT_EQ(fleet.revocations()->size(), revoked);
}

TEST_F(FleetTest, TheAuthoritySignsNothingThatNobodyCanRead) {
  Fleet fleet = create();
  EXPECT_EQ(fleet.revoke(NodeId{}, std::vector<Revoke::End>(257), kNow).error().code,
            Errc::malformed);
  EXPECT_EQ(fleet.revoke(NodeId{}, {{.last = kSeqMax + 1}}, kNow).error().code, Errc::malformed);
  EXPECT_TRUE(fleet.revocations()->empty());
  EXPECT_TRUE(fleet.revoke(NodeId{}, std::vector<Revoke::End>(256), kNow).ok());
  EXPECT_EQ(fleet.revocations()->size(), 1u);
}

TEST_F(FleetTest, TheAuthoritysLogIsLikeAnyOther) {
  Fleet fleet = create();
  ASSERT_TRUE(fleet.revoke(NodeId{}, {}, kNow).ok());
  const std::string path = path_ + "/log.db";
  const auto key = security::NodeKey::from_pem(read(path_ + "/authority.key")).value();
  AuthorityLog log = AuthorityLog::open(path, key->node()).value();
  const Bytes message = log.message().value();
  const auto envelope = replication::decode_envelope(message).value();
  const auto& segments = std::get<replication::Segments>(envelope.message).segments;
  ASSERT_FALSE(segments.empty());
  const auto verifier = security::make_mbedtls_verifier();
  std::optional<Hash> before;
  for (const auto& bytes : segments) {
    const SegmentHeader header = parse_segment(*bytes).value();
    const SegmentInfo info = decode_segment(header).value().info;
    EXPECT_EQ(info.log, (LogId{fleet.authority().node(), info.log.epoch, kControlTrack}));
    EXPECT_TRUE(verifier
                    ->verify(key->public_key(), head_statement(info.log, info.last, info.after),
                             header.signature)
                    .ok());
    EXPECT_EQ(info.before, before.value_or(chain_start(info.log)));
    before = info.after;
  }
}

// It goes by the former rights until it is told.
TEST_F(FleetTest, ABrokerThatCannotBeToldOfItsRightsIsLogged) {
  Fleet fleet = create();
  const auto said = [&](const std::string& pid) {
    if (!pid.empty()) std::ofstream(path_ + "/broker/mosquitto.pid") << pid;
    testing::internal::CaptureStderr();
    EXPECT_TRUE(fleet.write_rights().ok());
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(said(""), "");
  EXPECT_NE(said("broken").find("broker_not_reloaded"), std::string::npos);
  EXPECT_EQ(said(std::to_string(::getpid())), "") << "another process by now";
}

}  // namespace
}  // namespace dunlin::cli
