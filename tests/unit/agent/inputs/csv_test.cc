#include "agent/inputs/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "agent/inputs/csv_layout.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/temp_dir.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CsvInputTest : public ::testing::Test {
 protected:
  // Runs an input over `text` to its end.
  Result<void> replay(std::string_view text, const std::string& keys) {
    const std::string file = dir_.write("data.csv", text);
    auto made = test::make_input("type = \"csv\"\nfile = \"" + file + "\"\n" + keys);
    EXPECT_THAT(made.mistakes, IsEmpty());
    return test::InputRun(sink_, std::move(made.input)).wait();
  }
  test::TempDir dir_;
  test::FakeSink sink_;
};

TEST_F(CsvInputTest, MappedColumns) {
  ASSERT_TRUE(replay("id,date,time,t,h\n1,2026-01-01,00:00:00.5,21.5,40\n"
                     "2,2026-01-01,00:00:01,NA,\n",
                     "stream = \"room\"\ntime = \"date time\"\n[input.columns]\n"
                     "h = \"humidity:double\"\nt = \"temperature:decimal(2):Cel\"\n")
                  .ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("room 1767225600500000 humidity=40 temperature=2150",
                                         "room 1767225601000000"));
  EXPECT_EQ(sink_.batches()[0].schema.fields[1],
            (Field{"temperature", FieldType::decimal, "Cel", 2}));
}

TEST_F(CsvInputTest, TypesAreInferred) {
  ASSERT_TRUE(replay("ts,n,d,f,s,,none\n1,1,1.5,1.0000000000001,a,7,\n2,-2,1.25,2,\"b,\"\"c\",8,\n"
                     "3,,3,3,,9,NaN\n",
                     "time = \"ts\"\ntime_format = \"unix\"\n")
                  .ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("csv 1000000 n=1 d=150 f=1 s='a' column_6=7",
                                         "csv 2000000 n=-2 d=125 f=2 s='b,\"c' column_6=8",
                                         "csv 3000000 d=300 f=3 column_6=9"));
  const auto fields = sink_.batches()[0].schema.fields;
  EXPECT_EQ(fields[1].decimals, 2);
  EXPECT_EQ(fields[2].type, FieldType::float64);
  EXPECT_EQ(fields[5].type, FieldType::float64);
}

TEST_F(CsvInputTest, MalformedRowsAreReportedAndSkipped) {
  std::string text = "ts,v\n1,1\n2\n3,3,3\nx,4\n5,five\n6,\"6\n7,7\xff\n\n9,9\n";
  ASSERT_TRUE(replay(text,
                     "time = \"ts\"\ntime_format = \"unix_us\"\n[input.columns]\n"
                     "v = \"v:int64\"\n")
                  .ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("csv 1 v=1", "csv 9 v=9"));
  std::vector<std::string> places;
  for (const auto& report : sink_.reports()) {
    places.push_back(report.where.substr(report.where.rfind(':')));
  }
  EXPECT_THAT(places, ElementsAre(":3", ":4", ":5", ":6", ":7", ":8"));
}

TEST_F(CsvInputTest, RoundingBeyondTheInferredDigitsIsReportedOnce) {
  std::string text = "ts,v\n";
  for (int i = 0; i < 2000; ++i) {
    text += std::to_string(i) + (i < 1500 ? ",1.5\n" : ",1.55\n");
  }
  ASSERT_TRUE(replay(text, "time = \"ts\"\ntime_format = \"unix\"\n").ok());
  EXPECT_EQ(sink_.rows(), 2000u);
  EXPECT_THAT(sink_.reports(), SizeIs(1));
}

TEST_F(CsvInputTest, WithoutATimeRowsAreAnIntervalApart) {
  ASSERT_TRUE(replay("1;2\n3;4\n", "header = false\ndelimiter = \";\"\ninterval = \"10s\"\n").ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("csv 1700000000000000 column_1=1 column_2=2",
                                         "csv 1700000010000000 column_1=3 column_2=4"));
}

TEST_F(CsvInputTest, ShiftToNow) {
  sink_.set_now({5'000'000, true});
  ASSERT_TRUE(
      replay("ts,v\n100,1\n102,2\n", "time = \"ts\"\ntime_format = \"unix\"\nshift_to_now = true\n")
          .ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("csv 5000000 v=1", "csv 7000000 v=2"));
  EXPECT_TRUE(sink_.batches()[0].since_boot);
}

TEST_F(CsvInputTest, BatchesAreBounded) {
  std::string text = "ts,v\n";
  for (int i = 0; i < 25; ++i) text += std::to_string(i) + ",1\n";
  ASSERT_TRUE(replay(text, "time = \"ts\"\ntime_format = \"unix\"\nbatch = 10\n").ok());
  EXPECT_THAT(sink_.batches(), SizeIs(3));
  EXPECT_EQ(sink_.rows(), 25u);
}

TEST_F(CsvInputTest, SpeedKeepsThePausesOfTheRecording) {
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(
      replay("ts,v\n0,1\n0,2\n5,3\n", "time = \"ts\"\ntime_format = \"unix\"\nspeed = 100\n").ok());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(50));
  EXPECT_THAT(sink_.batches(), SizeIs(2));  // rows due together go together
  EXPECT_EQ(sink_.rows(), 3u);
}

TEST_F(CsvInputTest, RepeatGoesOnInTimeUntilStopped) {
  const std::string file = dir_.write("data.csv", "ts,v\n10,1\n12,2\n");
  auto made = test::make_input("type = \"csv\"\nfile = \"" + file +
                               "\"\ntime = \"ts\"\ntime_format = \"unix\"\nrepeat = true\n"
                               "speed = 1000\n");
  test::InputRun run(sink_, std::move(made.input));
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 5; }));
  ASSERT_TRUE(run.stop().ok());
  const auto lines = sink_.lines();
  EXPECT_EQ(lines[2], "csv 14000000 v=1");
  EXPECT_EQ(lines[3], "csv 16000000 v=2");
  EXPECT_EQ(lines[4], "csv 18000000 v=1");
}

TEST_F(CsvInputTest, StopsInALongPause) {
  const std::string file = dir_.write("data.csv", "ts,v\n0,1\n86400,2\n");
  auto made = test::make_input("type = \"csv\"\nfile = \"" + file +
                               "\"\ntime = \"ts\"\ntime_format = \"unix\"\nspeed = 1\n");
  test::InputRun run(sink_, std::move(made.input));
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 1; }));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_EQ(sink_.rows(), 1u);
}

TEST_F(CsvInputTest, MissingFilesAndColumnsAreErrorsOfTheRun) {
  auto made = test::make_input("type = \"csv\"\nfile = \"" + dir_.file("none.csv") + "\"\n");
  EXPECT_EQ(test::InputRun(sink_, std::move(made.input)).wait().error().code, Errc::not_found);
  const auto wrong = replay("time,temp\n1,2\n", "[input.columns]\ntmep = \"t\"\n");
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().context, HasSubstr("did you mean \"temp\""));
  EXPECT_EQ(replay("a,a\n1,2\n", "").error().code, Errc::config);
  EXPECT_EQ(replay("", "").error().code, Errc::truncated);
  EXPECT_EQ(replay("a,b\nx\n", "repeat = true\n").error().code, Errc::malformed);
  EXPECT_FALSE(
      test::InputRun(sink_, test::make_input("type = \"csv\"\nfile = \"/\"\n").input).wait().ok());
}

TEST_F(CsvInputTest, AbsurdLinesAreSkipped) {
  ASSERT_TRUE(replay("ts,v\n1,1\n2," + std::string(3 << 20, '9') + "\n3,3\n",
                     "time = \"ts\"\ntime_format = \"unix_us\"\n[input.columns]\nv = \"v:int64\"\n")
                  .ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("csv 1 v=1", "csv 3 v=3"));
  EXPECT_THAT(sink_.reports(), SizeIs(1));
}

TEST_F(CsvInputTest, TheIntelLabData) {
  const char* data = std::getenv("DUNLIN_DATA");
  if (data == nullptr) GTEST_SKIP() << "DUNLIN_DATA does not point to a folder of data sets";
  const std::string packed = std::string(data) + "/intel_lab/mote1_full_43047rows.csv.xz";
  if (!std::filesystem::exists(packed)) GTEST_SKIP() << packed << " does not exist";
  std::FILE* pipe = ::popen(("xz -dc '" + packed + "'").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  char buffer[65536];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  ASSERT_EQ(::pclose(pipe), 0);
  ASSERT_TRUE(replay(text,
                     "time = \"date time\"\n[input.columns]\n"
                     "temp = \"temperature:decimal(4):Cel\"\n"
                     "humidity = \"humidity:decimal(4):%\"\nlight = \"light:decimal(2):lx\"\n"
                     "voltage = \"voltage:decimal(5):V\"\n")
                  .ok());
  EXPECT_EQ(sink_.rows() + sink_.reports().size(), 43'047u);
  EXPECT_GT(sink_.rows(), 43'000u);
  EXPECT_EQ(sink_.lines()[0],
            "csv 1077929956027850 temperature=199884 humidity=370933 light=4508 voltage=269964");
}

TEST(CsvRow, QuotesAndDelimiters) {
  CsvRow row;
  ASSERT_TRUE(row.split(R"(a,,"b ""c"",d",)", ',').ok());
  EXPECT_THAT(row.cells(), ElementsAre("a", "", "b \"c\",d", ""));
  ASSERT_TRUE(row.split("", ',').ok());
  EXPECT_THAT(row.cells(), ElementsAre(""));
  EXPECT_FALSE(row.split("\"a", ',').ok());
  EXPECT_FALSE(row.split("\"a\"b", ',').ok());
}

}  // namespace
}  // namespace dunlin::agent
