// Every kind of input in a running agent: what is good arrives, what is not is counted and told of
// with its position, and the rest goes on.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"
#include "tests/support/publisher.h"
#include "tests/support/udp_port.h"

namespace dunlin {
namespace {

using nlohmann::json;
using test::Fleet;
using test::Member;

std::string csv(const Member& member, const std::string& sql) {
  const auto printed = member.command({"sql", sql, "--format", "csv"});
  EXPECT_EQ(printed.code, 0) << printed.text;
  return printed.text;
}

double errors(const Member& member, const std::string& input) {
  return member.metric("dunlin_input_errors_total{input=\"" + input + "\"}");
}

// Where the first mistake of an input was, as its log line says it.
std::string first_mistake(const Member& member, const std::string& input) {
  for (const json& event : member.events("input_malformed")) {
    if (event["input"] == input) return event["where"];
  }
  return {};
}

TEST(Inputs, CsvReplaysAndPassesOverBadRows) {
  DUNLIN_FLEET(fleet);
  const std::string file = fleet.folder().write(
      "air.csv",
      "date,time,temp,rh\n2026-01-01,00:00:00,21.53,45\n2026-01-01,00:00:01,oops,46\n"
      "2026-01-01,00:00:02,21.54\n2026-01-01,00:00:03,,47\n2026-01-01,00:00:04,-0.5,48\n");
  fleet.add_gateway();
  Member& a =
      fleet.add_agent("a", {.more = "[[input]]\ntype = \"csv\"\nfile = \"" + file +
                                    "\"\nstream = \"air\"\ntime = \"date time\"\nspeed = 0\n"
                                    "[input.columns]\ntemp = \"temperature:decimal(2):Cel\"\n"
                                    "rh = \"humidity:int64:%\"\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 3; })) << a.log();
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(csv(fleet.gateway(), "SELECT time, temperature, humidity FROM stream_air"),
            "time,temperature,humidity\r\n1767225600000000,21.53,45\r\n1767225603000000,,47\r\n"
            "1767225604000000,-0.5,48\r\n");
  EXPECT_EQ(errors(a, "csv"), 2);
  EXPECT_TRUE(first_mistake(a, "csv").ends_with("air.csv:3")) << first_mistake(a, "csv");
  EXPECT_EQ(a.events("input_ended").size(), 1u);
  EXPECT_TRUE(a.process().running());
}

TEST(Inputs, AMissingFileDisturbsNobodyElse) {
  DUNLIN_FLEET(fleet);
  fleet.add_gateway();
  Member& a = fleet.add_agent("a", {.more = "[[input]]\ntype = \"csv\"\nfile = \"" +
                                            fleet.folder().file("later.csv") + "\"\nspeed = 0\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.say("numbers n=1i\n"));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 1 && errors(a, "csv") > 0; }));
  fleet.folder().write("later.csv", "n\n1\n2\n");  // it is looked for again
  EXPECT_TRUE(test::eventually([&] { return a.readings() == 3; })) << a.log();
}

TEST(Inputs, StdinTakesJsonLines) {
  DUNLIN_FLEET(fleet);
  fleet.add_gateway();
  Member& a = fleet.add_agent("a", {.more = "[[input]]\ntype = \"stdin\"\nstream = \"door\"\n"
                                            "[input.fields]\nopen = \"open:bool\"\n"
                                            "\"battery.volts\" = \"battery:decimal(3):V\"\n",
                                    .stdin_pipe = true});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.process().write_stdin(
      "{\"time\":1767225600000000,\"open\":true,\"battery\":{\"volts\":4.123}}\n"
      "this is no JSON\n"
      "{\"time\":\"2026-01-01T00:00:01Z\",\"open\":false}\n"
      "{\"time\":1767225602000000,\"open\":\"wide\"}\n"
      "{\"time\":1767225603000000,\"open\":true}\n" +
      std::string(70'000, 'x') +
      "\n"
      "{\"time\":1767225604000000,\"open\":false,\"battery\":{\"volts\":4}}\n"));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 4; })) << a.log();
  EXPECT_EQ(csv(a, "SELECT time / 1000000 AS t, open, battery FROM stream_door"),
            "t,open,battery\r\n1767225600,1,4.123\r\n1767225601,0,\r\n1767225603,1,\r\n1767225604,"
            "0,4.0\r\n");
  EXPECT_EQ(errors(a, "stdin"), 3);
  EXPECT_EQ(first_mistake(a, "stdin"), "stdin:2");
  a.process().close_stdin();
  EXPECT_TRUE(test::eventually([&] { return a.events("input_ended").size() == 1; }));
  EXPECT_EQ(fleet.converge(), "");
}

TEST(Inputs, LineProtocolPassesOverBadLines) {
  DUNLIN_FLEET(fleet);
  fleet.add_gateway();
  Member& a = fleet.add_agent(
      "a", {.more = "[[input]]\ntype = \"stdin\"\nformat = \"line_protocol\"\nprecision = \"s\"\n",
            .stdin_pipe = true});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(a.process().write_stdin(
      "air t=1.5 1767225600\n# a comment\n\nair t= 1767225601\nair t=2.5 1767225602\n"
      "air t=3i 1767225603\nair t=4.5,u=t 1767225604\n"));
  ASSERT_TRUE(a.say("air t=5.5 1767225605000000\nair\nair t=6.5 1767225606000000\nair t=7.5"));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 6; })) << a.log();
  EXPECT_EQ(errors(a, "stdin"), 2);
  EXPECT_EQ(first_mistake(a, "stdin"), "stdin:4");
  EXPECT_EQ(errors(a, "line_protocol"), 1);
  EXPECT_TRUE(first_mistake(a, "line_protocol").ends_with("a.sock client 1:2"))
      << first_mistake(a, "line_protocol");
  EXPECT_EQ(csv(a, "SELECT t, u FROM stream_air WHERE time = 1767225604000000"),
            "t,u\r\n4.5,1\r\n");
  EXPECT_EQ(fleet.converge(), "");
}

TEST(Inputs, DatagramsOfLineProtocolPassOverBadLines) {
  DUNLIN_FLEET(fleet);
  fleet.add_gateway();
  const test::UdpPort port;
  Member& a = fleet.add_agent("a", {.more = "[[input]]\ntype = \"line_protocol\"\nlisten = \"" +
                                            port.url() + "\"\nprecision = \"s\"\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  // The program says that it started before its inputs have.
  ASSERT_TRUE(test::eventually([&] { return port.listened_at(); }));
  ASSERT_TRUE(port.send("air t=1.5 1767225600\nair t= 1767225601\nair t=2.5 1767225602"));
  ASSERT_TRUE(port.send("air t=3.5 1767225603\n"));
  ASSERT_TRUE(test::eventually([&] { return a.readings() == 3; })) << a.log();
  EXPECT_EQ(errors(a, "line_protocol"), 1);
  EXPECT_TRUE(first_mistake(a, "line_protocol").ends_with(":2"));
  EXPECT_EQ(fleet.converge(), "");
  EXPECT_EQ(csv(fleet.gateway(), "SELECT t FROM stream_air ORDER BY time"),
            "t\r\n1.5\r\n2.5\r\n3.5\r\n");
}

TEST(Inputs, MqttSensorsAreReadingsAtOnce) {
  DUNLIN_OPEN_FLEET(fleet);
  fleet.add_gateway();
  const std::string input =
      "[[input]]\ntype = \"mqtt\"\nurl = \"" + fleet.broker().url() +
      "\"\ntopics = [\"zigbee2mqtt/+\", \"tele/+/SENSOR\"]\nstream = \"{1}\"\n";
  Member& a = fleet.add_agent("a", {.more = input});
  DUNLIN_ASSERT_OK(fleet.start());
  test::Publisher sensors(fleet.broker().url(), "sensors");
  // The driver subscribes when it is connected; until then nobody hears.
  ASSERT_TRUE(test::eventually([&] {
    return sensors.say("zigbee2mqtt/hello", "{\"up\":true}") &&
           a.sql_integer("SELECT count(*) FROM streams WHERE name = 'hello'") == 1;
  }));
  ASSERT_TRUE(
      sensors.say("zigbee2mqtt/kitchen",
                  "{\"battery\":87,\"contact\":false,\"linkquality\":120,\"temperature\":21.4,"
                  "\"last_seen\":\"2026-01-01T00:00:00Z\",\"update\":{\"state\":\"idle\"}}"));
  ASSERT_TRUE(sensors.say("zigbee2mqtt/kitchen", "{\"battery\":87,"));
  ASSERT_TRUE(sensors.say(
      "tele/shed/SENSOR",
      "{\"Time\":\"2026-01-01T00:00:00\",\"AM2301\":{\"Temperature\":8.1,\"Humidity\":70},"
      "\"TempUnit\":\"C\"}"));
  ASSERT_TRUE(sensors.say("zigbee2mqtt/kitchen",
                          "{\"battery\":86.5,\"contact\":true,\"temperature\":null}"));
  ASSERT_TRUE(test::eventually([&] {
    return a.sql_integer("SELECT count(*) FROM stream_kitchen") == 2 &&
           a.sql_integer("SELECT count(*) FROM stream_shed") == 1;
  })) << a.log();
  EXPECT_EQ(csv(a, "SELECT battery, contact, temperature, \"update.state\" FROM stream_kitchen"),
            "battery,contact,temperature,update.state\r\n87.0,0,21.4,idle\r\n86.5,1,,\r\n");
  EXPECT_EQ(csv(a, "SELECT \"AM2301.Temperature\", \"AM2301.Humidity\", TempUnit FROM stream_shed"),
            "AM2301.Temperature,AM2301.Humidity,TempUnit\r\n8.1,70.0,C\r\n");
  EXPECT_EQ(errors(a, "mqtt"), 1);
  EXPECT_EQ(first_mistake(a, "mqtt"), "topic \"zigbee2mqtt/kitchen\"");
  EXPECT_EQ(fleet.converge(), "");
}

TEST(Inputs, HostAndThermalReadTheMachine) {
  DUNLIN_FLEET(fleet);
  fleet.add_gateway();
  // Temperatures by a recorded tree, with a sensor that does not read; the rest as this machine
  // says.
  const std::filesystem::path zones = fleet.folder().file("sys") + "/class/thermal";
  for (const auto& [zone, type, temperature] :
       {std::tuple{"thermal_zone0", "cpu-thermal\n", "48250\n"},
        std::tuple{"thermal_zone1", "gpu\n", "hot\n"}}) {
    std::filesystem::create_directories(zones / zone);
    std::ofstream(zones / zone / "type") << type;
    std::ofstream(zones / zone / "temp") << temperature;
  }
  Member& a =
      fleet.add_agent("a", {.more = "[[input]]\ntype = \"host\"\ninterval = \"50ms\"\n"
                                    "[[input]]\ntype = \"thermal\"\ninterval = \"50ms\"\nsys = \"" +
                                    fleet.folder().file("sys") + "\"\n"});
  DUNLIN_ASSERT_OK(fleet.start());
  ASSERT_TRUE(test::eventually([&] {
    return a.sql_integer(
               "SELECT count(*) FROM stream_host WHERE cpu_idle IS NOT NULL AND memory_total > 0"
               " AND memory_used > 0 AND load_1 IS NOT NULL AND disk_free > 0") >= 3 &&
           a.sql_integer("SELECT count(*) FROM stream_thermal WHERE \"cpu-thermal\" = 48.25") >= 3;
  })) << a.log();
  EXPECT_GT(errors(a, "thermal"), 0);
  ASSERT_EQ(a.stop(), 0);
  DUNLIN_ASSERT_OK(a.start());
  EXPECT_GT(fleet.gateway().get_json("/v1/nodes")["nodes"].size(), 1u);
}

}  // namespace
}  // namespace dunlin
