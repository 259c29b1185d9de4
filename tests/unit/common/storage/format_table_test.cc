#include "common/storage/format_table.h"

#include <gtest/gtest.h>

#include <limits>

namespace dunlin::storage {
namespace {

Table example() {
  return {.columns = {"name", "n", "x"},
          .rows = {{std::string("plain"), std::int64_t{7}, 21.5},
                   {std::string("a \"b\", c"), std::int64_t{-100}, 3.0},
                   {std::monostate{}, std::monostate{}, Bytes{0xab, 0x01}}},
          .truncated = false};
}

TEST(FormatTable, TextIsAligned) {
  EXPECT_EQ(format_text(example()),
            "name      n     x\n"
            "plain        7  21.5\n"
            "a \"b\", c  -100   3.0\n"
            "                ab01\n");
}

TEST(FormatTable, TextCountsCharactersAndSaysWhatIsMissing) {
  const Table table{
      .columns = {"ort", "n"},
      .rows = {{std::string("Düne"), std::int64_t{1}}, {std::string("x"), std::int64_t{2}}},
      .truncated = true};
  EXPECT_EQ(format_text(table),
            "ort   n\n"
            "Düne  1\n"
            "x     2\n"
            "(only the first 2 rows)\n");
}

TEST(FormatTable, TextCannotSteerATerminal) {
  const Table table{.columns = {"a\nb"},
                    .rows = {{std::string("\x1b[2J\tx\x7f")},
                             {std::string("\xc2\x9b"
                                          "31m")}},
                    .truncated = false};
  EXPECT_EQ(format_text(table), "a\\nb\n\\x1b[2J\\tx\\x7f\n\\x9b31m\n");
}

TEST(FormatTable, CsvFollowsRfc4180) {
  Table table = example();
  table.rows.push_back({std::string(), std::string("two\r\nlines"), -0.0});
  EXPECT_EQ(format_csv(table),
            "name,n,x\r\n"
            "plain,7,21.5\r\n"
            "\"a \"\"b\"\", c\",-100,3.0\r\n"
            ",,ab01\r\n"
            "\"\",\"two\r\nlines\",-0.0\r\n");
}

TEST(FormatTable, RealsReadBack) {
  const double third = 1.0 / 3;
  const Table table{
      .columns = {"x"}, .rows = {{third}, {1e300}, {1e21}, {0.1}}, .truncated = false};
  EXPECT_EQ(format_csv(table), "x\r\n0.3333333333333333\r\n1e+300\r\n1e+21\r\n0.1\r\n");
}

TEST(FormatTable, Json) {
  Table table = example();
  EXPECT_EQ(format_json(table),
            R"({"columns":["name","n","x"],"rows":[["plain",7,21.5],["a \"b\", c",-100,3.0],)"
            R"([null,null,"ab01"]],"truncated":false})");
  table = {.columns = {"x"},
           .rows = {{std::numeric_limits<double>::infinity()},
                    {std::numeric_limits<double>::quiet_NaN()},
                    {std::string("\xff")},
                    {std::numeric_limits<std::int64_t>::min()}},
           .truncated = true};
  EXPECT_EQ(format_json(table),
            "{\"columns\":[\"x\"],\"rows\":[[null],[null],[\"\xef\xbf\xbd\"],"
            "[-9223372036854775808]],\"truncated\":true}");
  EXPECT_EQ(format_json(Table{}), R"({"columns":[],"rows":[],"truncated":false})");
}

}  // namespace
}  // namespace dunlin::storage
