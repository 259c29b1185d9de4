#include "agent/inputs/field_spec.h"

#include <gtest/gtest.h>

namespace dunlin::agent {
namespace {

TEST(FieldSpec, NameTypeUnit) {
  const FieldSpec spec = parse_field_spec("temperature:decimal(2):Cel").value();
  EXPECT_EQ(spec.field, (Field{"temperature", FieldType::decimal, "Cel", 2}));
  EXPECT_FALSE(spec.inferred);
  EXPECT_EQ(parse_field_spec("x:double").value().field, (Field{"x", FieldType::float64, "", 0}));
  EXPECT_EQ(parse_field_spec("x:int64:By:s").value().field.unit, "By:s");
  EXPECT_TRUE(parse_field_spec("x").value().inferred);
}

TEST(FieldSpec, WrongOnesAreRefused) {
  for (const char* text : {"", ":double", "x:", "x:float", "x:decimal", "x:decimal()",
                           "x:decimal(19)", "x:decimal(-1)", "a\nb", "\xff:double"}) {
    EXPECT_FALSE(parse_field_spec(text).ok()) << text;
  }
  EXPECT_FALSE(parse_field_spec(std::string(129, 'a')).ok());
}

TEST(FieldSpec, ValuesFollowTheirType) {
  Rows rows(6);
  rows.begin_row(0);
  ASSERT_TRUE(add_value(rows, {"a", FieldType::decimal, "", 2}, "21.5").ok());
  ASSERT_TRUE(add_value(rows, {"b", FieldType::int64, "", 0}, "12.0").ok());
  ASSERT_TRUE(add_value(rows, {"c", FieldType::float64, "", 0}, "1e3").ok());
  ASSERT_TRUE(add_value(rows, {"d", FieldType::boolean, "", 0}, "true").ok());
  ASSERT_TRUE(add_value(rows, {"e", FieldType::text, "", 0}, "hi").ok());
  ASSERT_TRUE(add_value(rows, {"f", FieldType::text, "", 0}, "NaN").ok());
  EXPECT_EQ(rows.cell(0, 0).integer, 2150);
  EXPECT_EQ(rows.cell(0, 1).integer, 12);
  EXPECT_EQ(rows.cell(0, 2).real, 1000);
  EXPECT_TRUE(rows.cell(0, 3).boolean);
  EXPECT_EQ(rows.text(rows.cell(0, 4)), "hi");
  EXPECT_EQ(rows.cell(0, 5).kind, Cell::Kind::missing);
}

TEST(FieldSpec, ValuesThatDoNotFitAreRefused) {
  Rows rows(1);
  EXPECT_FALSE(add_value(rows, {"a", FieldType::int64, "", 0}, "12.5").ok());
  EXPECT_FALSE(add_value(rows, {"a", FieldType::decimal, "", 18}, "100").ok());
  EXPECT_FALSE(add_value(rows, {"a", FieldType::float64, "", 0}, "inf").ok());
  EXPECT_FALSE(add_value(rows, {"a", FieldType::boolean, "", 0}, "maybe").ok());
  EXPECT_FALSE(add_value(rows, {"a", FieldType::text, "", 0}, "\xff").ok());
}

TEST(FieldSpec, PrintedDoublesRoundToADecimal) {
  Rows rows(1);
  bool rounded = false;
  rows.begin_row(0);
  ASSERT_TRUE(
      add_value(rows, {"a", FieldType::decimal, "", 2}, "21.499999999999999999999", &rounded).ok());
  EXPECT_EQ(rows.cell(0, 0).integer, 2150);
  EXPECT_TRUE(rounded);
}

}  // namespace
}  // namespace dunlin::agent
