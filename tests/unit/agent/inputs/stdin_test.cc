#include "agent/inputs/stdin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "common/base/stop_event.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LinesInputTest : public ::testing::Test {
 protected:
  LinesInputTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    out_ = FileDescriptor(ends[0]);
    in_ = FileDescriptor(ends[1]);
  }
  void send(std::string_view text) {
    ASSERT_EQ(::write(in_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  FileDescriptor out_, in_;
  test::FakeSink sink_;
};

LineFormat json_format() {
  auto document = config::Document::parse("", "test.toml", {});
  return JsonLinesFormat{JsonReader::from(document->root(), "time"), "stdin"};
}

TEST_F(LinesInputTest, JsonLinesUntilTheEnd) {
  test::InputRun run(sink_, make_lines_input(json_format(), out_.get(), "stdin"));
  send("{\"stream\":\"x\",\"time\":5,\"fields\":{\"a\":1}}\n\n{\"a\":2}\nnot json\n{\"a\":3}");
  in_.reset();
  ASSERT_TRUE(run.wait().ok());
  EXPECT_THAT(sink_.lines(),
              ElementsAre("x 5 a=1", "stdin 1700000000000000 a=2", "stdin 1700000000000000 a=3"));
  ASSERT_EQ(sink_.reports().size(), 1u);
  EXPECT_EQ(sink_.reports()[0].where, "stdin:4");
}

TEST_F(LinesInputTest, LineProtocol) {
  test::InputRun run(sink_,
                     make_lines_input(LineProtocolFormat{TimeUnit::seconds}, out_.get(), "in"));
  send("m,t=a f=1 1\nm,t=b f=2 2\n");
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 2; }));  // without waiting for the end
  in_.reset();
  ASSERT_TRUE(run.wait().ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("m 1000000 t='a' f=1", "m 2000000 t='b' f=2"));
  EXPECT_THAT(sink_.reports(), IsEmpty());
}

TEST_F(LinesInputTest, NumbersOfOneField) {
  const NumberLinesFormat format{{"level", FieldType::decimal, "m", 2}, "well"};
  test::InputRun run(sink_, make_lines_input(format, out_.get(), "in"));
  send("1.5\n\n \t-0.25 \r\nNaN\n1.5m\n2e1");
  in_.reset();
  ASSERT_TRUE(run.wait().ok());
  EXPECT_THAT(sink_.lines(),
              ElementsAre("well 1700000000000000 level=150", "well 1700000000000000 level=-25",
                          "well 1700000000000000",  // missing
                          "well 1700000000000000 level=2000"));
  ASSERT_EQ(sink_.reports().size(), 1u);
  EXPECT_EQ(sink_.reports()[0].where, "in:5");
}

TEST_F(LinesInputTest, StopsWhileNothingComes) {
  test::InputRun run(sink_, make_lines_input(json_format(), out_.get(), "stdin"));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_EQ(sink_.rows(), 0u);
}

TEST_F(LinesInputTest, AClosingLogEndsItQuietly) {
  sink_.set_refuse([](const StreamSchema&) -> Result<void> { return {Errc::closed, "stopping"}; });
  test::InputRun run(sink_, make_lines_input(json_format(), out_.get(), "stdin"));
  send("{\"a\":2}\n");
  EXPECT_TRUE(run.wait().ok());
  EXPECT_THAT(sink_.reports(), IsEmpty());
}

TEST(StdinInput, KeysAreChecked) {
  EXPECT_THAT(test::make_input("type = \"stdin\"\nformat = \"line_protocol\"\nprecision = \"s\"\n")
                  .mistakes,
              IsEmpty());
  EXPECT_THAT(
      test::make_input("type = \"stdin\"\nformat = \"number\"\nfield = \"t:int64:Cel\"\n").mistakes,
      IsEmpty());
  EXPECT_THAT(
      test::make_input("type = \"stdin\"\nformat = \"xml\"\nstream = \"a b\"\n").mistakes.size(),
      2u);
}

}  // namespace
}  // namespace dunlin::agent
