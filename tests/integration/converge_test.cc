// A fleet of real processes on a real broker: every reading of every agent arrives, once, as it
// was.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "tests/support/certificates.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin {
namespace {

using nlohmann::json;
using test::Fleet;
using test::Member;
using test::Mosquitto;

constexpr std::int64_t kStart = 1'767'225'600'000'000;

std::string at(std::int64_t seconds) {
  return " " + std::to_string(kStart + seconds * 1'000'000) + "\n";
}

// All value types, streams that interleave, a field that comes later, a late and a repeated
// timestamp, values that are missing, texts that are not plain.
std::string mixed_lines(int seed) {
  std::string lines;
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(seed * 1000 + i);
    lines += "air,room=kitchen temperature=" + std::to_string(20 + i) + ".25,count=" + n +
             "i,open=" + (i % 2 == 0 ? "t" : "f") + ",note=\"line " + n + "\"" + at(i);
    if (i % 3 == 0) lines += "power watts=" + n + ".5" + at(i);
  }
  lines += "air,room=kitchen temperature=-1.5,open=t" + at(3);  // late, and less fields
  lines += "air,room=kitchen temperature=-2.5,open=f" + at(3);  // and again
  lines += "air,room=b\xC3\xBCro temperature=1e300,pressure=1013.25" + at(50);  // a new field
  lines += "air count=9223372036854775807i,note=\"a, \\\"quoted\\\" one\"" + at(51);
  return lines;
}

// Both ways into a program's own numbers: a pipe to a tool, and what the tool prints.
std::string promtool(const test::TempDir& folder, const std::string& metrics) {
  auto tool = test::ChildProcess::start({.program = "promtool",
                                         .args = {"check", "metrics"},
                                         .output_file = folder.file("promtool.out"),
                                         .stdin_pipe = true});
  if (!tool.ok()) return "not installed";
  tool->write_stdin(metrics);
  tool->close_stdin();
  const auto code = tool->wait(std::chrono::seconds(20));
  std::ifstream output(folder.file("promtool.out"));
  return (code == 0 ? "" : "promtool failed: ") +
         std::string(std::istreambuf_iterator<char>(output), {});
}

json post_sql(std::uint16_t port, const json& body) {
  const auto reply = test::http_post(port, "/v1/sql", body.dump());
  return reply.ok() ? json::parse(reply->body, nullptr, false) : json();
}

class ConvergeTest : public testing::Test {
 protected:
  static Member::Options with_password(Fleet& fleet, const std::string& more_keys = {}) {
    Member::Options options;
    options.broker_keys = "username = \"fleet\"\npassword_file = \"" +
                          fleet.folder().write("password", "s3cret\n") + "\"\n" + more_keys;
    return options;
  }
};

TEST_F(ConvergeTest, EveryReadingArrivesOnceAsItWas) {
  DUNLIN_OPEN_FLEET(fleet, Mosquitto::Options{.username = "fleet", .password = "s3cret"});
  Member& gateway = fleet.add_gateway(with_password(fleet));
  Member& a = fleet.add_agent("a", with_password(fleet));
  Member& b = fleet.add_agent("b", with_password(fleet, "protocol = 4\n"));
  Member::Options recording = with_password(fleet);
  recording.more =
      "[[input]]\ntype = \"csv\"\nspeed = 0\nstream = \"soil\"\ntime = \"t\"\ntime_format = "
      "\"unix\"\n"
      "file = \"" +
      fleet.folder().write("soil.csv",
                           "t,moisture,ph,comment\n1767225600,41.25,6.5,first\n1767225601,,6.4,NA\n"
                           "1767225601,41.00,6.4,again\n1767225599,40.75,-6.3,late\n") +
      "\"\n"
      "[input.columns]\nmoisture = \"moisture:decimal(2):%\"\nph = \"ph:decimal(1)\"\n"
      "comment = \"comment:text\"\n";
  Member& c = fleet.add_agent("c", recording);
  DUNLIN_ASSERT_OK(fleet.start());
  for (Member* agent : {&a, &b, &c}) ASSERT_TRUE(agent->say(mixed_lines(agent == &b ? 2 : 1)));
  ASSERT_TRUE(a.say("air,room=kitchen temperature=5.5" + at(99)));  // in an entry of its own
  ASSERT_TRUE(test::eventually([&] {
    return a.readings() == 59 && b.readings() == 58 && c.readings() == 62;
  })) << a.readings()
      << " " << b.readings() << " " << c.readings();
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(gateway.readings(), 59 + 58 + 62);

  // Values as they were written, at the gateway.
  const auto text = [&](const std::string& sql) {
    std::string out;
    const auto reply = a.command({"sql", sql, "--format", "csv"});
    const auto there = gateway.command({"sql", sql, "--format", "csv"});
    EXPECT_EQ(reply.code, 0) << reply.text;
    EXPECT_EQ(there.code, 0) << there.text;
    EXPECT_EQ(reply.text, there.text);
    return there.text.substr(there.text.find('\n') + 1);
  };
  const std::string of_a = " AND node = '" + a.node() + "' ORDER BY seq, row";
  EXPECT_EQ(text("SELECT temperature, count, open, note, pressure FROM stream_air WHERE time = " +
                 std::to_string(kStart + 3'000'000) + of_a),
            "23.25,1003,0,line 1003,\r\n-1.5,,1,,\r\n-2.5,,0,,\r\n");
  EXPECT_EQ(text("SELECT room, temperature, count, pressure FROM stream_air WHERE time = " +
                 std::to_string(kStart + 50'000'000) + of_a),
            "b\xC3\xBCro,1e+300,,1013.25\r\n");
  EXPECT_EQ(text("SELECT room, count, note FROM stream_air WHERE time = " +
                 std::to_string(kStart + 51'000'000) + of_a),
            ",9223372036854775807,\"a, \"\"quoted\"\" one\"\r\n");
  EXPECT_EQ(
      gateway
          .command({"sql", "SELECT time / 1000000, moisture, ph, comment FROM stream_soil",
                    "--format", "csv"})
          .text,
      "time / 1000000,moisture,ph,comment\r\n1767225600,41.25,6.5,first\r\n1767225601,,6.4,\r\n"
      "1767225601,41.0,6.4,again\r\n1767225599,40.75,-6.3,late\r\n");
}

// Stops the whole fleet and starts it again: nothing is doubled, and what was said meanwhile comes.
TEST_F(ConvergeTest, StartsAgainWhereItStopped) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway();
  Member& a = fleet.add_agent("a");
  Member& b = fleet.add_agent("b", {.broker_keys = "protocol = 4\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(mixed_lines(1)) && b.say(mixed_lines(2)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 58 && b.readings() == 58; }));
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(gateway.stop(), 0);
  ASSERT_TRUE(a.say(mixed_lines(3)));
  EXPECT_EQ(a.stop(), 0);
  EXPECT_EQ(b.stop(), 0);
  DUNLIN_ASSERT_OK(fleet.start());
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(gateway.readings(), 3 * 58);
  EXPECT_EQ(gateway.readings(a.node()), 2 * 58);
}

TEST_F(ConvergeTest, TalksTlsInBothVersionsOfMqtt) {
  test::Authority authority("ours");
  const test::Authority::Signed server = authority.sign("server", "DNS:localhost,IP:127.0.0.1");
  ASSERT_TRUE(authority.ok);
  DUNLIN_OPEN_FLEET(fleet, Mosquitto::Options{.ca_file = authority.ca_file,
                                              .cert_file = server.cert_file,
                                              .key_file = server.key_file});
  const std::string ca = "ca_file = \"" + authority.ca_file + "\"\n";
  fleet.add_gateway({.broker_keys = ca});
  Member& a = fleet.add_agent("a", {.broker_keys = ca});
  Member& b = fleet.add_agent("b", {.broker_keys = ca + "protocol = 4\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(mixed_lines(1)) && b.say(mixed_lines(2)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 58 && b.readings() == 58; }));
  EXPECT_EQ(fleet.converge(), "");
}

TEST_F(ConvergeTest, TellsOfItselfOverHttp) {
  DUNLIN_FLEET(fleet);
  Member& gateway = fleet.add_gateway({.more = ""});
  Member& a = fleet.add_agent("a");
  Member& b = fleet.add_agent("b");
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say(mixed_lines(1)) && b.say(mixed_lines(2)));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 58 && b.readings() == 58; }));
  ASSERT_EQ(fleet.converge(), "");

  std::set<std::string> names;
  const json nodes = gateway.get_json("/v1/nodes");
  for (const json& node : nodes["nodes"]) {
    names.insert(node["name"].get<std::string>() + "/" + node["role"].get<std::string>());
    EXPECT_EQ(node["lag_entries"], 0);
    EXPECT_EQ(node["lag_seconds"], 0.0);
    EXPECT_EQ(node["protocol"], "1.0");
    EXPECT_EQ(node["capabilities"], json::array({"columns", "zstd"}));
    if (node["role"] == "gateway") continue;
    EXPECT_EQ(node["cell"], "default");
    EXPECT_EQ(node["state"], "up");
    EXPECT_GT(node["last_seen_us"].get<std::int64_t>(), kStart);
    ASSERT_EQ(node["logs"].size(), 2u);
    for (const json& log : node["logs"]) {
      EXPECT_EQ(log["epoch"].get<std::string>().size(), 16u);
      EXPECT_GT(log["head"], 0);
      EXPECT_EQ(log["head"], log["complete"]);
      EXPECT_EQ(log["lost_entries"], 0);
      EXPECT_EQ(log["lost_readings"], 0);
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"gateway/gateway", "a/agent", "b/agent"}));
  const json lag = gateway.get_json("/v1/lag");
  EXPECT_EQ(
      lag,
      json::parse(
          R"({"cells":[{"cell":"default","nodes":2,"lag_entries_max":0,"lag_seconds_max":0.0}]})"));
  EXPECT_EQ(gateway.get_json("/v1/gaps"), json::parse(R"({"gaps":[]})"));

  const json rows = post_sql(
      gateway.http_port(),
      {{"sql", "SELECT count(*) AS n FROM stream_air WHERE node = ?"}, {"params", {a.node()}}});
  EXPECT_EQ(rows, json::parse(R"({"columns":["n"],"rows":[[44]],"truncated":false})"));
  const auto refused =
      test::http_post(gateway.http_port(), "/v1/sql", R"({"sql":"DELETE FROM segments"})");
  ASSERT_TRUE(refused.ok());
  EXPECT_EQ(refused->status, 400);
  EXPECT_EQ(refused->content_type, "application/problem+json");
  EXPECT_EQ(json::parse(refused->body)["code"], "invalid_argument");

  EXPECT_EQ(gateway.get("/healthz").status, 200);
  EXPECT_EQ(gateway.get("/readyz").status, 200);
  EXPECT_EQ(a.get("/readyz").status, 200);
  EXPECT_EQ(gateway.metric("dunlin_peers{role=\"agent\",state=\"up\"}"), 2);
  EXPECT_EQ(gateway.metric("dunlin_readings_total{direction=\"received\"}"), 2 * 58);
  EXPECT_EQ(a.metric("dunlin_readings_total{direction=\"appended\"}"), 58);
  EXPECT_EQ(gateway.metric("dunlin_lag_entries_max{cell=\"default\"}"), 0);
  for (Member* member : {&gateway, &a}) {
    const test::HttpReply metrics = member->get("/metrics");
    EXPECT_TRUE(metrics.content_type.starts_with("text/plain; version=0.0.4"))
        << metrics.content_type;
    const std::string said = promtool(fleet.folder(), metrics.body);
    if (said == "not installed" && !std::getenv("CI")) {
      std::puts("promtool is not installed: /metrics is not checked with it");
    } else {
      EXPECT_EQ(said, "") << metrics.body;
    }
  }

  fleet.broker().stop();
  EXPECT_TRUE(test::eventually([&] { return gateway.get("/readyz").status == 503; }));
  EXPECT_EQ(json::parse(gateway.get("/readyz").body)["code"], "broker_not_connected");
  EXPECT_EQ(gateway.get("/healthz").status, 200);
  DUNLIN_ASSERT_OK(fleet.broker().restart());
  EXPECT_TRUE(test::eventually([&] { return gateway.get("/readyz").status == 200; }));
  EXPECT_EQ(b.stop(), 0);
  EXPECT_TRUE(test::eventually(
      [&] { return gateway.metric("dunlin_peers{role=\"agent\",state=\"down\"}") == 1; }));
}

}  // namespace
}  // namespace dunlin
