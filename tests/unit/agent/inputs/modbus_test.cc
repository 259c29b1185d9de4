#include "agent/inputs/modbus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/modbus_slave.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string reg(const std::string& field, int address, const std::string& more = "") {
  return "[[input.register]]\nfield = \"" + field + "\"\naddress = " + std::to_string(address) +
         "\n" + more;
}

class ModbusInputTest : public ::testing::Test {
 protected:
  static std::unique_ptr<Input> input(const std::string& bus, const std::string& registers,
                                      const std::string& interval = "10ms") {
    auto made = test::make_input("type = \"modbus\"\n" + bus + "interval = \"" + interval +
                                 "\"\ntimeout = \"200ms\"\n" + registers);
    EXPECT_THAT(made.mistakes, IsEmpty());
    return std::move(made.input);
  }
  static std::unique_ptr<Input> tcp(const test::ModbusSlaves& slaves,
                                    const std::string& registers) {
    return input("url = \"" + slaves.url() + "\"\n", registers);
  }
  bool reads(const std::string& line) {
    return test::eventually([&] {
      const auto lines = sink_.lines();
      return !lines.empty() && lines.back() == "modbus 1700000000000000 " + line;
    });
  }
  std::string said() const {
    std::string out = sink_.rows() > 0 ? sink_.lines().back() + "\n" : "no rows\n";
    for (const auto& report : sink_.reports()) out += report.error.message() + "\n";
    return out;
  }
  test::FakeSink sink_;
};

const std::string kAllTables =
    reg("u:decimal(1):V", 4) + reg("p:int64:W", 5, "type = \"u32\"\nword_order = \"little\"\n") +
    reg("t:double:Cel", 30, "table = \"input\"\n") + reg("on", 7, "table = \"coil\"\n") +
    reg("off", 8, "table = \"coil\"\n") + reg("open", 9, "table = \"discrete\"\n");

TEST_F(ModbusInputTest, EveryTableByTcp) {
  test::ModbusSlaves slaves({1});
  test::InputRun run(sink_, tcp(slaves, kAllTables));
  ASSERT_TRUE(reads("u=1004 p=65930221 t=2030 on=true off=false open=true"));
  EXPECT_EQ(sink_.batches().front().schema.fields[0], (Field{"u", FieldType::decimal, "V", 1}));
  slaves.set_holding(1, 4, 2305);
  EXPECT_TRUE(reads("u=2305 p=65930221 t=2030 on=true off=false open=true"));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_THAT(sink_.reports(), IsEmpty());
  // Four requests a reading: neighbours are asked for at once.
  EXPECT_LE(slaves.requests(1), 4 * (sink_.rows() + 1));
}

TEST_F(ModbusInputTest, EveryTableOnASerialLine) {
  const auto slaves = test::ModbusSlaves::on_a_line({1, 2});
  test::InputRun run(sink_, input("port = \"" + slaves->path() + "\"\nslave = 2\n",
                                  kAllTables + reg("one", 4, "slave = 1\n")));
  ASSERT_TRUE(reads("u=1004 p=65930221 t=2030 on=true off=false open=true one=1004")) << said();
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(ModbusInputTest, ASlaveThatDoesNotAnswerStopsNobodyElse) {
  test::ModbusSlaves slaves({1, 2});
  slaves.silence(1, true);
  test::InputRun run(sink_, tcp(slaves, reg("a", 0) + reg("b", 1, "slave = 2\n")));
  ASSERT_TRUE(reads("b=1001"));
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 10; }));
  // It is asked more and more seldom,
  EXPECT_LT(slaves.requests(1), slaves.requests(2));
  ASSERT_FALSE(sink_.reports().empty());
  EXPECT_THAT(sink_.reports()[0].where, HasSubstr(" slave 1"));
  EXPECT_EQ(sink_.reports()[0].error.code, Errc::timeout);
  slaves.silence(1, false);  // and heard again.
  EXPECT_TRUE(reads("a=1000 b=1001"));
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(ModbusInputTest, ASlaveThatDoesNotAnswerStopsNobodyElseOnALine) {
  const auto slaves = test::ModbusSlaves::on_a_line({2});
  test::InputRun run(sink_, input("port = \"" + slaves->path() + "\"\n",
                                  reg("a", 0) + reg("b", 1, "slave = 2\n")));
  EXPECT_TRUE(reads("b=1001"));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_THAT(sink_.reports()[0].where, HasSubstr(" slave 1"));
}

TEST_F(ModbusInputTest, ALateAnswerIsThatOfNoOtherRequest) {
  const auto slaves = test::ModbusSlaves::on_a_line({1, 2});
  slaves->silence(1, true);
  test::InputRun run(sink_, input("port = \"" + slaves->path() + "\"\n",
                                  reg("a", 0) + reg("b", 50) + reg("c", 0, "slave = 2\n"), "1s"));
  // It is asked for a first, and left alone in the second round.
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 2; })) << said();
  slaves->answer_late(1);
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 3; })) << said();
  EXPECT_EQ(sink_.lines()[2], "modbus 1700000000000000 a=1000 b=1050 c=1000");
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(ModbusInputTest, WhatASlaveRefusesIsMissing) {
  test::ModbusSlaves slaves({1});
  test::InputRun run(sink_, tcp(slaves, reg("a", 200) + reg("b", 1)));
  ASSERT_TRUE(reads("b=1001"));
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 5; }));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_THAT(sink_.reports()[0].error.context, HasSubstr("Illegal data address"));
}

TEST_F(ModbusInputTest, AConnectionThatIsClosedIsOpenedAgainAtOnce) {
  test::ModbusSlaves slaves({1});
  test::InputRun run(sink_, tcp(slaves, reg("a", 0)));
  ASSERT_TRUE(reads("a=1000"));
  slaves.set_holding(1, 0, 7);
  slaves.hang_up();
  EXPECT_TRUE(reads("a=7"));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_THAT(sink_.reports(), IsEmpty());
}

TEST_F(ModbusInputTest, ASlaveThatHangsUpStopsNobodyElse) {
  test::ModbusSlaves slaves({1, 2, 3});
  slaves.hang_up_on(2);
  test::InputRun run(
      sink_, tcp(slaves, reg("a", 0) + reg("b", 1, "slave = 2\n") + reg("c", 2, "slave = 3\n")));
  ASSERT_TRUE(reads("a=1000 c=1002")) << said();
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 10; })) << said();
  EXPECT_LT(slaves.requests(2), slaves.requests(3));
  ASSERT_FALSE(sink_.reports().empty());
  EXPECT_THAT(sink_.reports()[0].where, HasSubstr(" slave 2"));
  slaves.hang_up_on(-1);
  EXPECT_TRUE(reads("a=1000 b=1001 c=1002")) << said();
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(ModbusInputTest, WhereNobodyAnswersItEndsAndTheAgentTriesAgain) {
  std::string url;
  {
    test::ModbusSlaves slaves({1});
    url = slaves.url();
    slaves.silence(1, true);
    test::InputRun run(sink_, tcp(slaves, reg("a", 0)));
    EXPECT_THAT(run.wait().error().message(), HasSubstr("no slave answers"));
  }
  test::InputRun nobody(sink_, input("url = \"" + url + "\"\n", reg("a", 0)));
  EXPECT_THAT(nobody.wait().error().message(), HasSubstr("Connection refused"));
  test::InputRun no_line(sink_, input("port = \"/nowhere/ttyS0\"\n", reg("a", 0)));
  EXPECT_THAT(no_line.wait().error().message(), HasSubstr("/nowhere/ttyS0"));
  EXPECT_EQ(sink_.rows(), 0u);
}

TEST(ModbusInput, KeysAreChecked) {
  const auto mistakes = [](const std::string& keys) {
    return test::make_input("type = \"modbus\"\n" + keys + reg("a", 0)).mistakes;
  };
  EXPECT_THAT(mistakes("url = \"tcp://[::1]:1502\"\n"), IsEmpty());
  EXPECT_THAT(mistakes("url = \"tcp://meter.example.org\"\n"), IsEmpty());
  for (const char* url : {"meter", "tcp://", "tcp://x:0", "tcp://x:port", "tcp://[::1"}) {
    EXPECT_THAT(mistakes("url = \"" + std::string(url) + "\"\n"),
                ElementsAre(HasSubstr("should be such as")))
        << url;
  }
  EXPECT_THAT(mistakes("url = \"tcp://x\"\nport = \"/dev/ttyS0\"\n"),
              ElementsAre(HasSubstr("not both")));
  EXPECT_THAT(mistakes("port = \"/dev/ttyS0\"\nslave = 255\n"), ElementsAre(HasSubstr("1 to 247")));
  EXPECT_THAT(mistakes("url = \"tcp://x\"\n" + reg("a", 1)),
              ElementsAre(HasSubstr("a second one of this name")));
  EXPECT_THAT(test::make_input("type = \"modbus\"\nurl = \"tcp://x\"\n").mistakes,
              ElementsAre(HasSubstr("[[input.register]] are needed")));
}

}  // namespace
}  // namespace dunlin::agent
