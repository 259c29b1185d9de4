#include "common/runtime/node_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/security/private_file.h"
#include "tests/support/temp_dir.h"

namespace dunlin::runtime {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* kIds =
    "gateways = [\"00112233445566778899aabbccddeeff\", \"ffeeddccbbaa99887766554433221100\"]\n";

// What is wrong with `lines` behind a data_dir: they begin at line 3.
struct Read {
  explicit Read(const std::string& lines, Role role = Role::agent,
                const std::string& data_dir = "d") {
    const std::string text = "[node]\ndata_dir = \"" + data_dir + "\"\n" + lines;
    auto document = config::Document::parse(text, "node.toml", {}).value();
    config = read_node_config(document.root(), role);
    options = config.database;
    mistakes = document.mistakes();
  }
  NodeConfig config;
  DatabaseOptions options;
  std::vector<std::string> mistakes;
};

constexpr UtcMicros kLate = 4'000'000'000'000'000;

// Bundles of one node, in a fleet of its own, that are valid until then.
std::vector<security::Bundle> make_bundles(const security::Member& member,
                                           const std::vector<UtcMicros>& untils) {
  auto authority =
      security::Authority::create(security::NodeKey::generate().value(), member.fleet, {0, kLate});
  const auto key = security::NodeKey::generate().value();
  std::vector<security::Bundle> bundles;
  for (const UtcMicros until : untils) {
    auto certificate = authority->issue(key->public_key(), member, {0, until}).value();
    bundles.push_back(
        {{std::move(certificate), authority->certificate(), {"mqtts://broker:8883", ""}},
         key->to_pem().value()});
  }
  return bundles;
}
security::Bundle make_member(const security::Member& member) {
  return make_bundles(member, {kLate}).front();
}

TEST(NodeConfig, AGatewayMaySpreadItsStorage) {
  EXPECT_EQ(Read("", Role::gateway).options.shards, 1u);
  const Read two("[storage]\nshards = 2\n", Role::gateway);
  EXPECT_THAT(two.mistakes, IsEmpty());
  EXPECT_EQ(two.options.shards, 2u);
  EXPECT_EQ(Read("[storage]\nshards = 9\n", Role::gateway).mistakes.size(), 1u);
  EXPECT_EQ(Read("[storage]\nshards = 0\n", Role::gateway).mistakes.size(), 1u);
  EXPECT_EQ(Read("[storage]\nshards = 2\n").mistakes.size(), 1u);  // an agent has one file
}

TEST(NodeConfig, TheArchiveSaysWhoseAcksCount) {
  const Read absent("");
  EXPECT_THAT(absent.mistakes, IsEmpty());
  EXPECT_THAT(absent.options.archive_gateways, IsEmpty());
  EXPECT_EQ(absent.options.archive_acks, 1u);
  const Read two("[archive]\n" + std::string(kIds) + "acks = 2\n");
  EXPECT_THAT(two.mistakes, IsEmpty());
  EXPECT_EQ(two.options.archive_gateways.size(), 2u);
  EXPECT_EQ(two.options.archive_acks, 2u);
  EXPECT_THAT(Read("[archive]\nacks = 16\n").mistakes, IsEmpty());  // of any gateways
}

TEST(NodeConfig, NamesTheMistakesOfAnArchive) {
  const auto at = [](int line, const char* what) {
    return AllOf(StartsWith("node.toml:" + std::to_string(line) + ": "), HasSubstr(what));
  };
  // More Acks than there are gateways to sign them would never come.
  EXPECT_THAT(Read("[archive]\n" + std::string(kIds) + "acks = 3\n").mistakes,
              ElementsAre(at(5, "acks")));
  EXPECT_THAT(Read("[archive]\nacks = 17\n").mistakes, ElementsAre(at(4, "acks")));
  EXPECT_THAT(Read("[archive]\nacks = 0\n").mistakes, ElementsAre(at(4, "acks")));
  EXPECT_THAT(Read("[archive]\ngateways = [\"cellar\"]\n").mistakes,
              ElementsAre(at(4, "gateways: node ids of 32 hexadecimal digits")));
  const std::string twice = std::string(32, 'a') + "\", \"" + std::string(32, 'a');
  EXPECT_THAT(Read("[archive]\ngateways = [\"" + twice + "\"]\nacks = 2\n").mistakes,
              ElementsAre(at(4, "every gateway once")));
  // A gateway keeps its own logs.
  EXPECT_THAT(Read("[archive]\nacks = 1\n", Role::gateway).mistakes, ElementsAre(at(3, "archive")));
}

TEST(NodeConfig, PlainTcpStaysOnThisMachineUnlessItSaysSo) {
  for (const char* here : {"mqtt://127.0.0.1", "mqtt://localhost:1884", "mqtt://[::1]:1883",
                           "mqtts://broker.example.org"})
    EXPECT_THAT(Read("[broker]\nurl = \"" + std::string(here) + "\"\n").mistakes, IsEmpty())
        << here;
  for (const char* away : {"mqtt://broker.example.org", "mqtt://10.0.0.1:1883", "mqtt://[fe80::1]",
                           "mqtt://127.example.org", "mqtt://localhost.example.org"}) {
    const std::string url = "[broker]\nurl = \"" + std::string(away) + "\"\n";
    EXPECT_THAT(Read(url).mistakes, ElementsAre(HasSubstr("plain TCP to another machine")));
    const Read asked(url + "plain = true\n");
    EXPECT_THAT(asked.mistakes, IsEmpty());
    EXPECT_TRUE(asked.options.transport.plain);
  }
  EXPECT_THAT(Read("[broker]\nurl = \"http://x\"\n").mistakes, ElementsAre(HasSubstr("scheme")));
}

TEST(NodeConfig, SeveralBrokersAreOfOneKind) {
  const Read read("[broker]\nurl = [\"mqtt://127.0.0.1\", \"mqtt://127.0.0.2\"]\n");
  EXPECT_THAT(read.mistakes, IsEmpty());
  EXPECT_EQ(read.options.broker_url, "mqtt://127.0.0.1");
  EXPECT_THAT(read.options.transport.more_urls, ElementsAre("mqtt://127.0.0.2"));
  EXPECT_THAT(Read("[broker]\nurl = [\"mqtt://127.0.0.1\", \"mqtt://10.0.0.1\"]\n").mistakes,
              ElementsAre(HasSubstr("plain TCP to another machine")));
  EXPECT_THAT(Read("[broker]\nurl = 1\n").mistakes, ElementsAre(HasSubstr("url")));
}

TEST(NodeConfig, ABrokerMayBeSparedQosOne) {
  EXPECT_EQ(Read("").options.transport.qos_max, 1);
  EXPECT_EQ(Read("[broker]\nqos = 0\n").options.transport.qos_max, 0);
  EXPECT_THAT(Read("[broker]\nqos = 2\n").mistakes, ElementsAre(HasSubstr("qos")));
}

TEST(NodeConfig, HttpStaysOnThisMachineUnlessItSaysSo) {
  const auto mistakes = [](const std::string& text) { return Read(text, Role::gateway).mistakes; };
  for (const char* here : {"127.0.0.1:7380", "localhost:0", "[::1]:7380"})
    EXPECT_THAT(mistakes("[http]\nlisten = \"" + std::string(here) + "\"\n"), IsEmpty()) << here;
  for (const char* away : {"0.0.0.0:7380", "0.0.0.0:0", "10.0.0.1:80", "[::]:7380", ":7380"}) {
    const std::string listen = "[http]\nlisten = \"" + std::string(away) + "\"\n";
    EXPECT_THAT(mistakes(listen), ElementsAre(HasSubstr("plain TCP to other machines"))) << away;
    const Read plain(listen + "plain = true\n", Role::gateway);
    EXPECT_THAT(plain.mistakes, IsEmpty()) << away;
    EXPECT_TRUE(plain.config.http_exposed) << away;
  }
}

TEST(NodeConfig, HttpsIsForMembersAndTheIssuerForThisMachine) {
  const auto mistakes = [](const std::string& text) { return Read(text, Role::gateway).mistakes; };
  EXPECT_THAT(mistakes("[https]\nlisten = \"0.0.0.0:7443\"\n"),
              ElementsAre(HasSubstr("without the certificate of a fleet")));
  EXPECT_THAT(mistakes("[enrol]\nissuer = \"http://127.0.0.1:7390\"\n"),
              ElementsAre(HasSubstr("devices enrol over HTTPS")));
  for (const char* wrong : {"https://127.0.0.1:7390", "http://10.0.0.1:7390", "127.0.0.1:7390"})
    EXPECT_THAT(mistakes("[enrol]\nissuer = \"" + std::string(wrong) + "\"\n"),
                Contains(HasSubstr("on this machine")))
        << wrong;
}

TEST(NodeConfig, AMemberSpeaksTls) {
  const test::TempDir folder;
  const std::string data_dir = folder.file("data");
  ASSERT_TRUE(
      security::install(make_member({"mountain", "north", "agent", "pond"}), data_dir).ok());
  const auto mistakes = [&](const std::string& text) {
    return Read(text, Role::agent, data_dir).mistakes;
  };
  EXPECT_THAT(mistakes("[broker]\nurl = \"mqtts://elsewhere\"\n"), IsEmpty());
  EXPECT_THAT(mistakes("[broker]\nurl = \"mqtt://127.0.0.1:1883\"\n"),
              ElementsAre(HasSubstr("a member of a fleet speaks TLS")));
}

TEST(NodeConfig, ABundleIsOfTheNodeThatIsThere) {
  const test::TempDir folder;
  const std::string data_dir = folder.file("data"), file = folder.file("pond.bundle");
  const security::Member pond{"mountain", "north", "agent", "pond"};
  const security::Bundle own = make_member(pond);
  ASSERT_TRUE(security::install(own, data_dir).ok());
  const auto mistakes = [&] {
    return Read("bundle = \"" + file + "\"\n", Role::agent, data_dir).mistakes;
  };
  EXPECT_THAT(mistakes(), IsEmpty()) << "it may be gone";
  ASSERT_TRUE(security::write_private_file(file, write_bundle(own)).ok());
  EXPECT_THAT(mistakes(), IsEmpty());
  ASSERT_TRUE(security::write_private_file(file, write_bundle(make_member(pond))).ok());
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("of another node")));
}

TEST(NodeConfig, ABundleThatLastsLongerIsTaken) {
  const test::TempDir folder;
  const std::string data_dir = folder.file("data"), file = folder.file("pond.bundle");
  constexpr UtcMicros kDay = 86'400'000'000;
  const auto bundles =
      make_bundles({"mountain", "north", "agent", "pond"}, {kLate - 2 * kDay, kLate - kDay, kLate});
  ASSERT_TRUE(security::install(bundles[1], data_dir).ok());
  const auto takes = [&](const security::Bundle& bundle) {
    EXPECT_TRUE(security::write_private_file(file, write_bundle(bundle)).ok());
    return Read("bundle = \"" + file + "\"\n", Role::agent, data_dir).config.bundle.has_value();
  };
  EXPECT_FALSE(takes(bundles[0]));
  EXPECT_FALSE(takes(bundles[1]));
  EXPECT_TRUE(takes(bundles[2]));
}

TEST(NodeConfig, AnAgentMayKeepLogsOfOthers) {
  const Read none("");
  EXPECT_EQ(none.options.interest, InterestScope::own);
  EXPECT_THAT(none.options.follows, IsEmpty());
  const Read read(
      "interest = \"fleet\"\n[[follow]]\nnode = \"pump\"\n"
      "[[follow]]\nnode = \"pond\"\ntrack = \"alarms\"\n");
  EXPECT_THAT(read.mistakes, IsEmpty());
  EXPECT_EQ(read.options.interest, InterestScope::fleet);
  ASSERT_EQ(read.options.follows.size(), 2u);
  EXPECT_EQ(read.options.follows[1].node, "pond");
  EXPECT_EQ(read.options.follows[1].track, "alarms");
  EXPECT_THAT(Read("interest = \"all\"\n").mistakes, ElementsAre(HasSubstr("interest")));
  EXPECT_THAT(Read("[[follow]]\ntrack = \"alarms\"\n").mistakes, ElementsAre(HasSubstr("node")));
  std::string many;
  for (int i = 0; i < 17; ++i) many += "[[follow]]\nnode = \"pump\"\n";
  EXPECT_THAT(Read(many).mistakes, ElementsAre(HasSubstr("more than 16")));
}

// A certificate says whether it may, and what it keeps when nothing else is said.
TEST(NodeConfig, AKeepersInterestIsCertified) {
  const auto with = [](const std::string& cell, const std::string& role, const std::string& lines) {
    const test::TempDir folder;
    const std::string data_dir = folder.file("data");
    EXPECT_TRUE(security::install(make_member({"mountain", cell, role, "pond"}), data_dir).ok());
    return Read(lines, Role::agent, data_dir);
  };
  EXPECT_EQ(with("north", "agent", "").options.interest, InterestScope::own);
  EXPECT_EQ(with("north", "keeper", "").options.interest, InterestScope::cell);
  const Read fleet = with("north,_core", "keeper", "");
  EXPECT_THAT(fleet.mistakes, IsEmpty());
  EXPECT_EQ(fleet.options.interest, InterestScope::fleet);
  EXPECT_THAT(fleet.options.cells, ElementsAre("north"));
  EXPECT_EQ(with("north,_core", "keeper", "interest = \"own\"\n").options.interest,
            InterestScope::own);
  EXPECT_THAT(with("north", "agent", "interest = \"cell\"\n").mistakes,
              ElementsAre(HasSubstr("for the role agent")));
  EXPECT_THAT(with("north", "agent", "[[follow]]\nnode = \"pump\"\n").mistakes,
              ElementsAre(HasSubstr("for the role agent")));
  EXPECT_THAT(with("north", "keeper", "interest = \"fleet\"\n").mistakes,
              ElementsAre(HasSubstr("without _core")));
}

// Whatever the broker's certificate is of.
TEST(NodeConfig, HttpsShowsTheMembersOwnCertificate) {
  const std::string others = "[broker]\nca_file = \"x\"\ncert_file = \"y\"\nkey_file = \"z\"\n";
  const std::string https = "[https]\nlisten = \"0.0.0.0:7443\"\n";
  EXPECT_THAT(Read(others + https, Role::gateway).mistakes,
              ElementsAre(HasSubstr("without the certificate of a fleet")));
  const test::TempDir folder;
  const std::string data_dir = folder.file("data");
  ASSERT_TRUE(
      security::install(make_member({"mountain", "north", "gateway", "gate"}), data_dir).ok());
  const Read read(others + https, Role::gateway, data_dir);
  EXPECT_THAT(read.mistakes, IsEmpty());
  EXPECT_EQ(read.config.database.transport.ca_file, "x");
  EXPECT_EQ(read.config.member_files.authority, data_dir + "/fleet.crt");
  EXPECT_EQ(read.config.member_files.certificate, data_dir + "/node.crt");
  EXPECT_EQ(read.config.member_files.key, data_dir + "/node.key");
}

TEST(NodeConfig, ATrackOverflowsAsTheStorageDoesUnlessItSaysHow) {
  EXPECT_EQ(Read("").options.tracks.at(0).overflow, Overflow::drop_oldest);
  const Read mixed(
      "[storage]\noverflow = \"drop_alternate\"\n"
      "[[track]]\nname = \"alarms\"\noverflow = \"refuse_new\"\n");
  EXPECT_THAT(mixed.mistakes, IsEmpty());
  ASSERT_EQ(mixed.options.tracks.size(), 2u);
  EXPECT_EQ(mixed.options.tracks[0].overflow, Overflow::drop_alternate);
  EXPECT_EQ(mixed.options.tracks[1].overflow, Overflow::refuse_new);
  EXPECT_THAT(Read("[storage]\noverflow = \"drop_all\"\n").mistakes,
              ElementsAre(HasSubstr("drop_oldest, refuse_new, drop_alternate")));
}

}  // namespace
}  // namespace dunlin::runtime
