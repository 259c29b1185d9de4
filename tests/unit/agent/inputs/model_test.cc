#include "agent/inputs/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/inputs/greenhouse.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"

namespace dunlin::agent {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(ModelInput, FlatOutItIsTheSeriesInBatches) {
  auto made = test::make_input(
      "type = \"model\"\nseed = 9\nreadings = 2500\nspeed = 0\nbatch = 1000\nstream = \"m\"\n"
      "start = \"1970-01-02\"\n");
  ASSERT_THAT(made.mistakes, IsEmpty());
  test::FakeSink sink;
  ASSERT_TRUE(test::InputRun(sink, std::move(made.input)).wait().ok());
  ASSERT_THAT(sink.batches(), SizeIs(3));
  Greenhouse model({.seed = 9, .start_us = 86'400'000'000});
  Rows expected(4), seen(4);
  model.next(2500, expected);
  for (const auto& batch : sink.batches()) {
    EXPECT_EQ(batch.schema.name, "m");
    EXPECT_FALSE(batch.since_boot);
    for (std::size_t row = 0; row < batch.rows.size(); ++row) seen.add_row(batch.rows, row);
  }
  EXPECT_EQ(seen, expected);
}

TEST(ModelInput, InRealTimeItIsStampedNow) {
  auto made = test::make_input("type = \"model\"\nreadings = 3\nperiod = \"10ms\"\n");
  test::FakeSink sink;
  sink.set_now({77, true});
  ASSERT_TRUE(test::InputRun(sink, std::move(made.input)).wait().ok());
  ASSERT_THAT(sink.batches(), SizeIs(3));
  EXPECT_EQ(sink.batches()[0].rows.time(0), 77);
  EXPECT_TRUE(sink.batches()[0].since_boot);
}

TEST(ModelInput, FasterThanRealItCountsFromItsStart) {
  auto made = test::make_input("type = \"model\"\nreadings = 3\nspeed = 1000\n");
  test::FakeSink sink;
  ASSERT_TRUE(test::InputRun(sink, std::move(made.input)).wait().ok());
  ASSERT_THAT(sink.batches(), SizeIs(3));
  EXPECT_GE(sink.batches()[2].rows.time(0), 1'767'225'601'998'000);
}

TEST(ModelInput, EndlessItStops) {
  auto made = test::make_input("type = \"model\"\nperiod = \"1d\"\n");
  test::FakeSink sink;
  test::InputRun run(sink, std::move(made.input));
  ASSERT_TRUE(test::eventually([&] { return sink.rows() == 1; }));
  EXPECT_TRUE(run.stop().ok());
}

TEST(ModelInput, KeysAreChecked) {
  EXPECT_THAT(test::make_input(
                  "type = \"model\"\nstart = \"soon\"\nperiod = \"1us\"\nspeed = -1\nsede = 1\n")
                  .mistakes,
              SizeIs(4));
}

}  // namespace
}  // namespace dunlin::agent
