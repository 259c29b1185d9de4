#include "agent/inputs/modbus_register.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_sink.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Type = ModbusRegister::Type;

// A value as text: the field's own, "missing" or the error.
std::string value_of(Type type, FieldType field, std::vector<std::uint16_t> words,
                     bool low_word_first = false, std::uint8_t decimals = 0) {
  ModbusRegister reg{
      .field = {"x", field, "", decimals}, .type = type, .low_word_first = low_word_first};
  EXPECT_EQ(reg.words(), words.size());
  Rows rows(1);
  rows.resize(1);
  const Result<void> set = set_value(reg, words, rows, 0);
  if (!set.ok()) return set.error().message();
  const Cell& cell = rows.cell(0, 0);
  switch (cell.kind) {
    case Cell::Kind::integer:
      return std::to_string(cell.integer);
    case Cell::Kind::real:
      return std::to_string(cell.real);
    case Cell::Kind::boolean:
      return cell.boolean ? "true" : "false";
    default:
      return "missing";
  }
}

TEST(ModbusRegister, Integers) {
  const FieldType integer = FieldType::int64;
  EXPECT_EQ(value_of(Type::u16, integer, {0xffff}), "65535");
  EXPECT_EQ(value_of(Type::s16, integer, {0xffff}), "-1");
  EXPECT_EQ(value_of(Type::u32, integer, {0xfffe, 0x0001}), "4294836225");
  EXPECT_EQ(value_of(Type::u32, integer, {0x0001, 0xfffe}, true), "4294836225");
  EXPECT_EQ(value_of(Type::s32, FieldType::decimal, {0xffff, 0xfffe}, false, 2), "-2");
  EXPECT_EQ(value_of(Type::s64, integer, {0xffff, 0xffff, 0xffff, 0xfffd}), "-3");
  EXPECT_EQ(value_of(Type::u64, integer, {4, 3, 2, 0x7001}, true), "8070732015814770692");
  EXPECT_EQ(value_of(Type::u64, integer, {0x8000, 0, 0, 0}), "too_large: x does not fit");
  EXPECT_EQ(value_of(Type::s16, FieldType::float64, {0xfff0}), "-16.000000");
  EXPECT_EQ(value_of(Type::u16, FieldType::boolean, {2}), "true");
}

TEST(ModbusRegister, FloatsAndBits) {
  EXPECT_EQ(value_of(Type::float32, FieldType::float64, {0x4366, 0x8000}), "230.500000");
  EXPECT_EQ(value_of(Type::float32, FieldType::decimal, {0x8000, 0x4366}, true, 2), "23050");
  EXPECT_EQ(value_of(Type::float64, FieldType::float64, {0xc004, 0, 0, 0}), "-2.500000");
  EXPECT_EQ(value_of(Type::float32, FieldType::float64, {0x7fc0, 0}), "missing");  // NaN
  EXPECT_EQ(value_of(Type::float64, FieldType::decimal, {0x7fe0, 0, 0, 0}, false, 2),
            "too_large: x does not fit");
  EXPECT_EQ(value_of(Type::bit, FieldType::boolean, {0}), "false");
  EXPECT_EQ(value_of(Type::bit, FieldType::boolean, {1}), "true");
}

std::string planned(const std::vector<ModbusRegister>& registers) {
  std::string out;
  for (const ModbusRequest& request : plan_requests(registers)) {
    out += std::to_string(request.slave) + "/" + std::to_string(static_cast<int>(request.table)) +
           ":" + std::to_string(request.address) + "+" + std::to_string(request.count) + "[";
    for (const std::size_t i : request.registers) out += std::to_string(i) + ",";
    out += "] ";
  }
  return out;
}

ModbusRegister at(int address, Type type = Type::u16, int slave = 1,
                  ModbusTable table = ModbusTable::holding) {
  return {
      .slave = slave, .table = table, .address = static_cast<std::uint16_t>(address), .type = type};
}

TEST(ModbusRequests, NeighboursAreOne) {
  EXPECT_EQ(planned({at(12), at(10, Type::u32), at(14), at(13), at(16)}),
            "1/3:10+5[1,0,3,2,] 1/3:16+1[4,] ");
  EXPECT_EQ(planned({at(10, Type::u32), at(11), at(10)}), "1/3:10+2[0,2,1,] ");  // overlapping
  EXPECT_EQ(planned({at(1), at(2, Type::u16, 2), at(2, Type::u16, 1, ModbusTable::input)}),
            "1/2:2+1[2,] 1/3:1+1[0,] 2/3:2+1[1,] ");
  EXPECT_EQ(planned({}), "");
}

TEST(ModbusRequests, AreBounded) {
  std::vector<ModbusRegister> many, bits;
  for (int n = 0; n < 32; ++n) many.push_back(at(n * 4, Type::u64));  // 128 registers
  for (int n = 0; n < 2001; ++n) bits.push_back(at(n, Type::bit, 1, ModbusTable::coil));
  const auto requests = plan_requests(many);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].count, 124);  // no value in two requests
  EXPECT_EQ(requests[1].address, 124);
  ASSERT_EQ(plan_requests(bits).size(), 2u);
  EXPECT_EQ(plan_requests(bits)[0].count, 2000);
}

std::vector<std::string> mistakes(const std::string& reg, const std::string& more = "") {
  return test::make_input("type = \"modbus\"\nurl = \"tcp://127.0.0.1\"\n" + more +
                          "[[input.register]]\n" + reg)
      .mistakes;
}

TEST(ModbusRegister, KeysAreChecked) {
  EXPECT_THAT(mistakes("field = \"u:decimal(1):V\"\naddress = 1\ntype = \"s32\"\nslave = 247\n"
                       "table = \"input\"\nword_order = \"little\"\n"),
              IsEmpty());
  EXPECT_THAT(mistakes("field = \"on\"\naddress = 1\ntable = \"coil\"\n"), IsEmpty());
  EXPECT_THAT(mistakes("field = \"u\"\naddress = 1\nslave = 255\n"), IsEmpty());
  EXPECT_THAT(mistakes("field = \"u\"\n"), ElementsAre(HasSubstr("address: missing")));
  EXPECT_THAT(mistakes("address = 1\n"), ElementsAre(HasSubstr("field")));
  EXPECT_THAT(mistakes("field = \"u\"\naddress = 65535\ntype = \"u32\"\n"),
              ElementsAre(HasSubstr("beyond the last register")));
  EXPECT_THAT(mistakes("field = \"u\"\naddress = 0\nslave = 250\n"),
              ElementsAre(HasSubstr("1 to 247")));
  EXPECT_THAT(mistakes("field = \"u:int64\"\naddress = 0\ntype = \"float32\"\n"),
              ElementsAre(HasSubstr("double by nature and cannot be int64")));
  EXPECT_THAT(mistakes("field = \"u:text\"\naddress = 0\n"),
              ElementsAre(HasSubstr("int64 by nature and cannot be text")));
  EXPECT_THAT(mistakes("field = \"on\"\naddress = 1\ntable = \"coil\"\ntype = \"u16\"\n"),
              ElementsAre(HasSubstr("type: unknown key")));
}

}  // namespace
}  // namespace dunlin::agent
