// A fleet made by `dunlin`: members get in with their bundles, over TLS, and nobody else; and a
// member may do at the broker what its part is, and nothing else.
#include "tests/integration/membership.h"

namespace dunlin {
namespace {

using test::ChildProcess;
using test::Member;

TEST_F(Membership, ABundleIsAllThatAMemberNeeds) {
  Member gateway = make("gate", true), a = make("a");
  for (Member* member : {&gateway, &a}) {
    const auto started = member->start();
    ASSERT_TRUE(started.ok()) << started.error().message();
  }
  ASSERT_TRUE(a.say("pond level=1i\npond level=2i\n"));
  EXPECT_TRUE(test::eventually([&] { return gateway.readings(a.node()) == 2; }))
      << a.log() << gateway.log();
  // The bundle may go once it is installed.
  ASSERT_EQ(a.stop(), 0);
  std::filesystem::remove(bundle("a"));
  const auto again = a.start();
  ASSERT_TRUE(again.ok()) << again.error().message();
  ASSERT_TRUE(a.say("pond level=3i\n"));
  EXPECT_TRUE(test::eventually([&] { return gateway.readings(a.node()) == 3; })) << a.log();
  for (const char* secret : {"node.key", "fleet.crt", "node.crt"})
    EXPECT_TRUE(std::filesystem::exists(a.data_dir() + "/" + secret));
  EXPECT_EQ(a.log().find("PRIVATE KEY"), std::string::npos);
}

TEST_F(Membership, AConfigurationSaysNothingElseThanTheCertificate) {
  Member a(folder_, {.name = "other",
                     .broker_url = url(),
                     .node_keys = "cell = \"south\"\nbundle = \"" + bundle("a") + "\"\n"});
  const Member::Printed check = a.command({"check"});
  EXPECT_EQ(check.code, 2);
  EXPECT_NE(check.text.find("its certificate says \"a\""), std::string::npos) << check.text;
  EXPECT_NE(check.text.find("its certificate says \"north\""), std::string::npos) << check.text;
  Member gateway(folder_, {.name = "a",
                           .gateway = true,
                           .broker_url = url(),
                           .node_keys = "bundle = \"" + bundle("a") + "\"\n"});
  EXPECT_NE(gateway.command({"check"}).text.find("certificate is for"), std::string::npos);
}

// The broker's certificate is good to all of these; theirs is not to it.
TEST_F(Membership, ANodeWithoutACertificateStaysOutside) {
  Member gateway = make("gate", true);
  ASSERT_TRUE(gateway.start().ok());
  const auto gets_in = [&](const std::vector<std::string>& args) {
    return publish_with(args, root_ + "north/gossip", "x") == 0;
  };
  const Member a = stolen("a");
  EXPECT_TRUE(gets_in(as(a, "a")));
  std::vector<std::string> nobody = as(a, "nobody");
  nobody.resize(nobody.size() - 4);  // without certificate and key
  EXPECT_FALSE(gets_in(nobody));
  // Nor does the certificate of another fleet of that name help,
  security::Authority ours = authority();
  const security::Validity& always = ours.certificate().validity();
  security::Authority foreign =
      security::Authority::create(security::NodeKey::generate().value(), "mountain", always)
          .value();
  EXPECT_FALSE(gets_in(as(issue(foreign, "foreign", always), "foreign")));
  // or one out of its time.
  EXPECT_TRUE(gets_in(as(issue(ours, "good", always), "good")));
  EXPECT_FALSE(gets_in(as(issue(ours, "over", {0, 1'000'000}), "over")));
  EXPECT_FALSE(
      gets_in(as(issue(ours, "early", {always.until - 1'000'000, always.until}), "early")));
}

TEST_F(Membership, AMemberDoesAtTheBrokerWhatIsItsPart) {
  Member gateway = make("gate", true), a = make("a");
  for (Member* member : {&gateway, &a}) ASSERT_TRUE(member->start().ok());
  const Member b = stolen("b"), c = stolen("c"), watch = stolen("watch", true),
               rogue = stolen("rogue", true);
  ASSERT_EQ(
      dunlin({"device", "add", "far", "--gateway", "--cell", "south", "--out", bundle("far")}), 0);
  const Member far = stolen("far", true, "south");
  ChildProcess at_gateway = subscribe(watch, "gateway"), at_far = subscribe(far, "far");
  const std::string north = root_ + "north/", south = root_ + "south/";
  // Until the subscribers are there.
  ASSERT_TRUE(test::eventually([&] {
    publish(b, north + "gossip/" + b.node(), "ready");
    publish(c, south + "gossip/" + c.node(), "ready");
    return read_file(heard("gateway")).find("ready") != std::string::npos &&
           read_file(heard("far")).find("ready") != std::string::npos;
  }));
  const std::string authoritys = "authority/" + authority().certificate().node().to_string();
  const std::vector<std::pair<const Member*, std::string>> forbidden{
      {&b, north + "hello/" + a.node()},
      {&b, north + "live/" + a.node()},
      {&b, north + "gate/" + gateway.node()},
      {&b, north + "gate/" + b.node()},
      {&b, south + "gossip/" + b.node()},
      {&b, north + "gossip/" + a.node()},
      {&b, north + "inbox/" + gateway.node() + "/" + a.node()},
      {&b, north + authoritys},
      {&b, north + "inbox/" + a.node() + "/" + b.node()},
      {&b, south + "live/" + b.node()},
      {&c, north + "gossip/" + c.node()},
      {&c, north + "live/" + c.node()},
      {&rogue, south + "gossip/" + rogue.node()},
      {&c, north + authoritys},
      {&rogue, south + authoritys},
      {&rogue, north + "live/" + a.node()},
  };
  for (const auto& [member, topic] : forbidden) publish(*member, topic, "forbidden");
  // Nor does it end another's session by its name.
  for (const std::string& id : {a.node(), "dunlin-" + a.node().substr(0, 16)})
    publish(b, north + "gossip/" + b.node(), "x", id);
  ASSERT_TRUE(a.say("pond level=1i\n"));
  EXPECT_TRUE(test::eventually([&] { return gateway.readings(a.node()) == 1; }));
  EXPECT_TRUE(a.events("broker_lost").empty());
  publish(b, north + "live/" + b.node(), "last");
  EXPECT_TRUE(hears("gateway", "live/" + b.node() + " last"));
  publish(c, south + "live/" + c.node(), "last");
  EXPECT_TRUE(hears("far", "live/" + c.node() + " last"));
  // Each gateway hears its cell and the other gateways, and nothing that somebody may not say.
  for (const auto& [who, cell] : {std::pair("gateway", north), std::pair("far", south)}) {
    EXPECT_EQ(read_file(heard(who)).find("forbidden"), std::string::npos) << read_file(heard(who));
    for (const std::string& topic : topics(who))
      EXPECT_TRUE(topic.starts_with(cell) || topic.starts_with(root_ + "_core/")) << topic;
  }
  ChildProcess at_b = subscribe(b, "b");
  ASSERT_TRUE(test::eventually([&] {
    publish(rogue, north + "gossip/" + rogue.node(), "not for b");
    publish(c, north + "inbox/" + b.node() + "/" + c.node(), "not from c");
    publish(rogue, north + "inbox/" + b.node() + "/" + rogue.node(), "last");
    return read_file(heard("b")).find("inbox/" + b.node() + "/" + rogue.node() + " last") !=
           std::string::npos;
  }));
  EXPECT_EQ(read_file(heard("b")).find(" not "), std::string::npos) << read_file(heard("b"));
  // An agent hears its inbox, its Hello and the gateways, whatever it subscribes to.
  for (const std::string& topic : topics("b"))
    EXPECT_TRUE(topic.starts_with(north + "inbox/" + b.node() + "/") ||
                topic == north + "hello/" + b.node() || topic.starts_with(north + "gate/"))
        << topic;
}

// Gateways meet in a cell of their own: no agent reads or writes there, and each writes as itself.
TEST_F(Membership, GatewaysAloneMeetInTheBackbone) {
  Member gateway = make("gate", true);
  ASSERT_TRUE(gateway.start().ok());
  const Member b = stolen("b"), watch = stolen("watch", true), rogue = stolen("rogue", true);
  ChildProcess at_gateway = subscribe(watch, "gateway");
  const std::string core = root_ + "_core/";
  const auto inbox = [&](const Member& to, const Member& from) {
    return core + "inbox/" + to.node() + "/" + from.node();
  };
  ASSERT_TRUE(test::eventually([&] {
    publish(rogue, core + "gossip/" + rogue.node(), "ready");
    return read_file(heard("gateway")).find("ready") != std::string::npos;
  }));
  const std::string authoritys = "authority/" + authority().certificate().node().to_string();
  for (const std::string topic : {"gate/", "hello/", "live/", "bulk/", "gossip/"}) {
    publish(b, core + topic + b.node(), "forbidden");
    publish(b, core + topic + gateway.node(), "forbidden");
    if (topic != "hello/" && topic != "gate/")
      publish(rogue, core + topic + gateway.node(), "forbidden");
  }
  publish(b, core + authoritys, "forbidden");
  publish(b, inbox(watch, b), "forbidden");
  publish(b, inbox(watch, rogue), "forbidden");
  publish(rogue, inbox(watch, gateway), "forbidden");
  // What a gateway needs there it may do; b hears nothing of it.
  ChildProcess at_b = subscribe(b, "b");
  const std::string to_b = root_ + "north/inbox/" + b.node() + "/" + rogue.node();
  ASSERT_TRUE(test::eventually([&] {
    publish(rogue, to_b, "ready");
    return read_file(heard("b")).find("ready") != std::string::npos;
  }));
  const std::vector<std::string> own{"gate/" + rogue.node(), "live/" + rogue.node(),
                                     "bulk/" + rogue.node(), "gossip/" + rogue.node()};
  for (const std::string& topic : own) publish(rogue, core + topic, "permitted");
  publish(rogue, inbox(b, rogue), "permitted");
  publish(rogue, inbox(watch, rogue), "permitted");
  publish(rogue, to_b, "last");
  for (const std::string& topic : own) EXPECT_TRUE(hears("gateway", core + topic + " permitted"));
  EXPECT_TRUE(hears("gateway", inbox(watch, rogue) + " permitted"));
  EXPECT_TRUE(hears("b", to_b + " last"));
  EXPECT_EQ(read_file(heard("gateway")).find("forbidden"), std::string::npos)
      << read_file(heard("gateway"));
  for (const std::string& topic : topics("b")) EXPECT_FALSE(topic.starts_with(core)) << topic;
}

TEST_F(Membership, ARevokedNodeIsCutOffAndWhatItWroteBeforeStays) {
  Member gateway = make("gate", true), a = make("a"), b = make("b");
  for (Member* member : {&gateway, &a, &b}) ASSERT_TRUE(member->start().ok());
  ASSERT_TRUE(a.say("pond level=1i\n"));
  ASSERT_TRUE(b.say("pond level=1i\n"));
  ASSERT_TRUE(test::eventually(
      [&] { return gateway.readings(a.node()) == 1 && gateway.readings(b.node()) == 1; }));
  const Member watch = stolen("watch", true);
  ChildProcess listens = subscribe(watch, "watch");
  ASSERT_TRUE(test::eventually([&] { return !read_file(heard("watch")).empty(); }));
  const std::string url = "http://127.0.0.1:" + std::to_string(gateway.http_port());
  ASSERT_EQ(dunlin({"device", "revoke", "b", "--gateway", url}), 0)
      << read_file(folder_.file("dunlin.log"));
  const auto revoked = [&](const std::string& node) {
    const auto report = gateway.get_json("/v1/nodes");
    for (const auto& each : report["nodes"]) {
      if (each["node"] == node) return each["revoked"] == true;
    }
    return false;
  };
  EXPECT_TRUE(test::eventually([&] { return revoked(b.node()); }, std::chrono::seconds(10)))
      << gateway.log();
  EXPECT_EQ(gateway.events("node_revoked").size(), 1u);
  ASSERT_TRUE(b.say("pond level=2i\n"));
  ASSERT_TRUE(a.say("pond level=2i\n"));
  EXPECT_TRUE(test::eventually([&] { return gateway.readings(a.node()) == 2; }));
  EXPECT_EQ(gateway.readings(b.node()), 1);
  EXPECT_FALSE(revoked(a.node()));
  // What it left at the broker is cleared; who comes finds nothing of it.
  EXPECT_TRUE(hears("watch", root_ + "north/hello/" + b.node() + " (null)"));
  // The broker that runs refuses it, too.
  ASSERT_EQ(b.stop(), 0);
  publish(b, root_ + "north/gossip/" + b.node(), "of b");
  publish(b, root_ + "north/live/" + b.node(), "of b");
  ASSERT_TRUE(a.say("pond level=3i\n"));
  EXPECT_TRUE(test::eventually([&] { return gateway.readings(a.node()) == 3; }));
  EXPECT_EQ(read_file(heard("watch")).find("of b"), std::string::npos);
  // A gateway that was not there hears of it from the broker, and when that has lost it, the
  // broker from a gateway.
  ASSERT_EQ(gateway.stop(), 0);
  ASSERT_EQ(
      dunlin({"device", "add", "gate2", "--gateway", "--cell", "north", "--out", bundle("gate2")}),
      0);
  Member second = make("gate2", true);
  ASSERT_TRUE(second.start().ok());
  EXPECT_TRUE(test::eventually([&] { return second.events("node_revoked").size() == 1; }));
  broker_.kill(SIGKILL);
  ASSERT_TRUE(broker_.wait(std::chrono::seconds(5)));
  start_broker();
  ASSERT_TRUE(gateway.start().ok());
  ChildProcess listens_again = subscribe(watch, "again");
  EXPECT_TRUE(hears("again", "authority/"));
  EXPECT_TRUE(revoked(b.node()));
}

// Nor is a keeper's Hello found, which stands among those of gateways.
TEST_F(Membership, ARevokedKeeperLeavesNothingAtTheBroker) {
  ASSERT_EQ(dunlin({"device", "add", "k", "--keeper", "--cell", "north", "--out", bundle("k")}), 0);
  Member gateway = make("gate", true);
  Member keeper(folder_, {.name = "k",
                          .broker_url = url(),
                          .node_keys = "bundle = \"" + bundle("k") +
                                       "\"\ncell = \"north\"\ninterest = \"cell\"\n"});
  for (Member* member : {&gateway, &keeper}) DUNLIN_ASSERT_OK(member->start());
  const Member watch = stolen("watch", true);
  const std::string hello = root_ + "north/gate/" + keeper.node();
  {
    ChildProcess listens = subscribe(watch, "watch");
    ASSERT_TRUE(hears("watch", hello));
    ASSERT_EQ(dunlin({"device", "revoke", "k", "--nothing-counts"}), 0)
        << read_file(folder_.file("dunlin.log"));
    EXPECT_TRUE(hears("watch", hello + " (null)"));
  }
  ASSERT_EQ(keeper.stop(), 0);
  ChildProcess listens = subscribe(watch, "later");
  ASSERT_TRUE(hears("later", root_ + "north/gate/" + gateway.node()));
  EXPECT_EQ(read_file(heard("later")).find(hello), std::string::npos);
}

// Broker and operator get new keys while everybody stays connected; members have the certificates
// that they had, and get on with it.
TEST_F(Membership, IsShownAndExported) {
  const auto printed = [&](std::vector<std::string> args) {
    const std::string file = folder_.file("dunlin.log");
    std::filesystem::remove(file);
    EXPECT_EQ(dunlin(std::move(args)), 0);
    return read_file(file);
  };
  ASSERT_EQ(dunlin({"device", "revoke", "b", "--nothing-counts"}), 0);
  const auto shown = nlohmann::json::parse(printed({"fleet", "show", "--json"}));
  EXPECT_EQ(shown["fleet"], "mountain");
  EXPECT_EQ(shown["authority"], authority().certificate().node().to_string());
  EXPECT_EQ(shown["broker"], url());
  ASSERT_EQ(shown["members"].size(), 6u);
  for (const auto& member : shown["members"])
    EXPECT_EQ(member["revoked"], member["name"] == "b") << member;
  EXPECT_NE(printed({"fleet", "show"}).find("revoked    b\n"), std::string::npos);
  EXPECT_EQ(printed({"fleet", "export"}), authority().certificate().to_pem());
}

TEST_F(Membership, RotationNeedsNobodyElse) {
  Member gateway = make("gate", true), a = make("a");
  for (Member* member : {&gateway, &a}) DUNLIN_ASSERT_OK(member->start());
  ASSERT_TRUE(a.say("pond level=1i\n"));
  ASSERT_TRUE(test::eventually([&] { return gateway.readings(a.node()) == 1; }));
  const Member watch = stolen("watch", true);
  const std::string former = folder_.file("former");
  std::filesystem::create_directories(former);
  for (const char* file : {"operator.key", "operator.crt"})
    std::filesystem::copy(fleet_ + "/" + file, former + "/" + file);
  const std::string shown = shown_by_broker();
  ASSERT_EQ(dunlin({"fleet", "rotate"}), 0) << read_file(folder_.file("dunlin.log"));
  ASSERT_FALSE(shown.empty());
  EXPECT_TRUE(test::eventually([&] {
    const std::string now = shown_by_broker();
    return !now.empty() && now != shown;
  }));
  ASSERT_EQ(dunlin({"fleet", "publish"}), 0) << read_file(folder_.file("dunlin.log"));
  // Nobody was thrown out, and who comes again gets in.
  ASSERT_TRUE(a.say("pond level=2i\n"));
  EXPECT_TRUE(test::eventually([&] { return gateway.readings(a.node()) == 2; }));
  EXPECT_TRUE(a.events("broker_lost").empty());
  ASSERT_EQ(a.stop(), 0);
  DUNLIN_ASSERT_OK(a.start());
  ASSERT_TRUE(a.say("pond level=3i\n"));
  EXPECT_TRUE(test::eventually([&] { return gateway.readings(a.node()) == 3; }));
  // But who has the operator's former key.
  EXPECT_TRUE(test::eventually([&] { return gateway.events("node_revoked").size() == 1; }));
  ChildProcess listens = subscribe(watch, "watch");
  const std::string authority = root_ + "north/authority/";
  ASSERT_TRUE(hears("watch", authority));
  const std::string heard_so_far = read_file(heard("watch"));
  const std::string topic =
      heard_so_far.substr(heard_so_far.find(authority), authority.size() + 32);
  publish_with(as(former + "/operator", "former"), topic, "by the former one");
  publish_with(as(fleet_ + "/operator", "present"), topic, "by the present one");
  EXPECT_TRUE(hears("watch", "by the present one"));
  EXPECT_EQ(read_file(heard("watch")).find("by the former one"), std::string::npos);
}

// Over HTTPS a gateway answers who may read all of its cells, and nobody else.
TEST_F(Membership, GatewaysAnswerReadersOverHttps) {
  ASSERT_EQ(dunlin({"device", "add", "front", "--gateway", "--cell", "north", "--host", "localhost",
                    "--out", bundle("front")}),
            0);
  ASSERT_EQ(dunlin({"device", "add", "grafana", "--reader", "--cell", "north,south", "--out",
                    bundle("grafana")}),
            0);
  ASSERT_EQ(dunlin({"device", "add", "southern", "--reader", "--cell", "south", "--out",
                    bundle("southern")}),
            0);
  Member gateway(folder_,
                 {.name = "front",
                  .gateway = true,
                  .broker_url = url(),
                  .node_keys = "bundle = \"" + bundle("front") + "\"\ncells = [\"north\"]\n",
                  .more = "[https]\nlisten = \"127.0.0.1:0\"\n"});
  DUNLIN_ASSERT_OK(gateway.start());
  const int port = gateway.events("started").back()["https_port"];
  const std::string url = "https://localhost:" + std::to_string(port);
  const auto ask = [&](const std::string& who, const std::string& path) {
    std::vector<std::string> args{
        "-sS",          "-o",       folder_.file("answer"),       "-w",
        "%{http_code}", "--cacert", fleet_ + "/broker/fleet.crt", url + path};
    // A bundle is PEM: certificate and key are in it.
    if (!who.empty()) args.insert(args.end(), {"--cert", bundle(who), "--key", bundle(who)});
    const std::string code = folder_.file("code");
    std::filesystem::remove(code);
    EXPECT_EQ(test::run_program({.program = "curl", .args = args, .env = {}, .output_file = code}),
              0);
    return read_file(code);
  };
  EXPECT_EQ(ask("", "/healthz"), "200");
  for (const char* path : {"/v1/nodes", "/metrics", "/readyz", "/v1/gaps"}) {
    EXPECT_EQ(ask("", path), "401") << path;
    EXPECT_EQ(ask("a", path), "403") << path;
    EXPECT_EQ(ask("gate", path), "403") << path;
    EXPECT_EQ(ask("southern", path), "403") << path;
    EXPECT_EQ(ask("grafana", path), "200") << path;
  }
  // Who is no node is revoked like any other.
  ASSERT_EQ(dunlin({"device", "revoke", "grafana"}), 0);
  EXPECT_TRUE(test::eventually([&] { return ask("grafana", "/v1/nodes") == "403"; }));
}

// To a broker elsewhere everything goes in plain text only when that was asked for; who asked is
// reminded. 0.0.0.0 is this machine to the kernel, and an address like any other to us.
TEST(ExposedBroker, IsRefusedOrWarnedOf) {
  DUNLIN_START_MOSQUITTO(broker);
  const test::TempDir folder;
  Member::Options options{.name = "agent", .broker_url = broker->url("0.0.0.0")};
  const Member refused(folder, options);
  const Member::Printed check = refused.command({"check"});
  EXPECT_EQ(check.code, 2);
  EXPECT_NE(check.text.find("plain TCP to another machine"), std::string::npos) << check.text;
  options.broker_keys = "plain = true\n";
  Member agent(folder, options);
  DUNLIN_ASSERT_OK(agent.start());
  EXPECT_TRUE(test::eventually([&] { return !agent.events("broker_connected").empty(); }));
  EXPECT_EQ(agent.events("broker_exposed").size(), 1u);
  EXPECT_EQ(agent.metric("dunlin_broker_exposed"), 1);
  EXPECT_EQ(agent.metric("dunlin_http_exposed"), 0);
}

}  // namespace
}  // namespace dunlin
