#include <gtest/gtest.h>

#include <bit>

#include "dunlin/stream.h"

namespace dunlin {
namespace {

Rows sample() {
  Rows rows(3);
  rows.begin_row(10);
  rows.add_integer(-5), rows.add_text("first"), rows.add_boolean(true);
  rows.begin_row(20);
  rows.add_missing(), rows.add_text(""), rows.add_real(0.5);
  return rows;
}

TEST(Rows, KeepsTimesAndCells) {
  const Rows rows = sample();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows.time(1), 20);
  EXPECT_EQ(rows.cell(0, 0).integer, -5);
  EXPECT_EQ(rows.text(rows.cell(0, 1)), "first");
  EXPECT_TRUE(rows.cell(0, 2).boolean);
  EXPECT_EQ(rows.cell(1, 0).kind, Cell::Kind::missing);
  EXPECT_EQ(rows.text(rows.cell(1, 1)), "");
  EXPECT_EQ(rows.cell(1, 2).real, 0.5);
}

TEST(Rows, CopiesRowsOfOthersWithTheirText) {
  const Rows from = sample();
  Rows to(3);
  to.begin_row(1);
  to.add_text("other arena"), to.add_missing(), to.add_missing();
  to.add_row(from, 0);
  EXPECT_EQ(to.time(1), 10);
  EXPECT_EQ(to.text(to.cell(1, 1)), "first");
}

TEST(Rows, FillsInAnyOrder) {
  Rows rows(3);
  rows.resize(2);
  rows.set_real(1, 2, 0.5), rows.set_text(1, 1, ""), rows.set_time(1, 20);
  rows.set_boolean(0, 2, true), rows.set_text(0, 1, "overwritten"), rows.set_text(0, 1, "first");
  rows.set_integer(0, 0, -5), rows.set_time(0, 10);
  EXPECT_EQ(rows, sample());
}

TEST(Rows, EqualityComparesRealsBitForBitAndTextByContent) {
  const auto one = [](double value) {
    Rows rows(1);
    rows.begin_row(0);
    rows.add_real(value);
    return rows;
  };
  const double nan = std::bit_cast<double>(std::uint64_t{0x7ff8000000000000});
  EXPECT_EQ(one(nan), one(nan));
  EXPECT_FALSE(one(0.0) == one(-0.0));
  Rows other = sample();
  other.set_text(0, 1, "second");
  EXPECT_FALSE(other == sample());
  other.set_text(0, 1, "first");  // elsewhere in the arena
  EXPECT_EQ(other, sample());
  other.set_time(0, 11);
  EXPECT_FALSE(other == sample());
  EXPECT_EQ(Rows(1), Rows(2));  // as entries do not say how many fields no row has
}

TEST(Rows, ClearKeepsTheNumberOfFields) {
  Rows rows = sample();
  rows.clear();
  EXPECT_TRUE(rows.empty());
  EXPECT_EQ(rows, Rows(3));
}

TEST(FieldType, NamesReadBack) {
  for (int i = 0; i <= static_cast<int>(FieldType::text); ++i) {
    const auto type = static_cast<FieldType>(i);
    EXPECT_EQ(*field_type_from(to_string(type)), type);
  }
  EXPECT_EQ(field_type_from("float").error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace dunlin
