#include "agent/inputs/streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/inputs/line_protocol.h"
#include "tests/support/fake_sink.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Reading reading(std::string_view line) {
  Reading out;
  EXPECT_TRUE(parse_line(line, TimeUnit::micros, out).ok()) << line;
  return out;
}

class SelfDefiningStreamsTest : public ::testing::Test {
 protected:
  Result<void> add(std::string_view line) {
    return streams_.add(reading(line), {42, false}, sink_);
  }
  test::FakeSink sink_;
  SelfDefiningStreams streams_;
};

TEST_F(SelfDefiningStreamsTest, OneBatchPerStreamInOrder) {
  ASSERT_TRUE(add("a x=1 1").ok());
  ASSERT_TRUE(add("b y=1i 2").ok());
  ASSERT_TRUE(add("a x=2").ok());
  EXPECT_THAT(sink_.batches(), IsEmpty());
  ASSERT_TRUE(streams_.flush(sink_).ok());
  EXPECT_THAT(sink_.batches(), SizeIs(2));
  EXPECT_THAT(sink_.lines(), ElementsAre("a 1 x=1", "a 42 x=2", "b 2 y=1"));
  ASSERT_TRUE(streams_.flush(sink_).ok());
  EXPECT_THAT(sink_.batches(), SizeIs(2));
}

TEST_F(SelfDefiningStreamsTest, FieldsKeepTheirPlace) {
  ASSERT_TRUE(add("a x=1,y=2 1").ok());
  ASSERT_TRUE(add("a y=3 2").ok());
  ASSERT_TRUE(add("a z=t,y=4,x=5 3").ok());
  ASSERT_TRUE(streams_.flush(sink_).ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("a 1 x=1 y=2", "a 2 y=3", "a 3 x=5 y=4 z=true"));
  const auto batches = sink_.batches();
  ASSERT_THAT(batches, SizeIs(2));  // the new field starts a new one
  EXPECT_THAT(batches[0].schema.fields, SizeIs(2));
  EXPECT_THAT(batches[1].schema.fields, SizeIs(3));
}

TEST_F(SelfDefiningStreamsTest, AChangedTypeIsRefusedAndTheRestGoesOn) {
  ASSERT_TRUE(add("a x=1 1").ok());
  const auto refused = add("a w=1,x=1i 2");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::type_changed);
  ASSERT_TRUE(add("a x=3 3").ok());
  ASSERT_TRUE(streams_.flush(sink_).ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("a 1 x=1", "a 3 x=3"));
}

TEST_F(SelfDefiningStreamsTest, WhatTheLogKnowsBetterIsLearntAnew) {
  sink_.set_refuse([](const StreamSchema& schema) -> Result<void> {
    if (schema.fields[0].type == FieldType::int64) return {Errc::type_changed, "x was double"};
    return {};
  });
  ASSERT_TRUE(add("a x=1i 1").ok());
  ASSERT_TRUE(streams_.flush(sink_).ok());
  EXPECT_THAT(sink_.reports(), SizeIs(1));
  ASSERT_TRUE(add("a x=2 2").ok());
  ASSERT_TRUE(streams_.flush(sink_).ok());
  EXPECT_THAT(sink_.lines(), ElementsAre("a 2 x=2"));
}

TEST_F(SelfDefiningStreamsTest, RefusedWhileAFieldIsAddedLearnsAnewToo) {
  sink_.set_refuse([](const StreamSchema& schema) -> Result<void> {
    if (schema.fields[0].type == FieldType::int64) return {Errc::type_changed, "x was double"};
    return {};
  });
  ASSERT_TRUE(add("a x=1i 1").ok());
  ASSERT_TRUE(add("a y=1,x=2i 2").ok());  // flushes the first one, which is refused
  ASSERT_TRUE(streams_.flush(sink_).ok());
  EXPECT_THAT(sink_.reports(), SizeIs(1));
  EXPECT_THAT(sink_.lines(), ElementsAre("a 2 y=1 x=2"));
}

TEST_F(SelfDefiningStreamsTest, StampsSinceBootKeepApart) {
  ASSERT_TRUE(streams_.add(reading("a x=1"), {5, true}, sink_).ok());
  ASSERT_TRUE(streams_.add(reading("a x=2 9"), {6, true}, sink_).ok());
  ASSERT_TRUE(streams_.flush(sink_).ok());
  const auto batches = sink_.batches();
  ASSERT_THAT(batches, SizeIs(2));
  EXPECT_TRUE(batches[0].since_boot);
  EXPECT_FALSE(batches[1].since_boot);
  EXPECT_EQ(batches[1].rows.time(0), 9);
}

TEST_F(SelfDefiningStreamsTest, EverythingIsBounded) {
  Reading big;
  big.stream = "big";
  big.add_text("x", std::string(SelfDefiningStreams::kTextBytesMax + 1, 'x'));
  EXPECT_EQ(streams_.add(big, {}, sink_).error().code, Errc::too_large);
  Reading wide;
  wide.stream = "wide";
  for (int i = 0; i < 257; ++i) wide.add_real("f" + std::to_string(i), 1);
  EXPECT_EQ(streams_.add(wide, {}, sink_).error().code, Errc::too_large);
  for (std::size_t i = 0; i < SelfDefiningStreams::kStreamsMax; ++i) {
    ASSERT_TRUE(add("s" + std::to_string(i) + " x=1").ok());
  }
  EXPECT_EQ(add("one_more x=1").error().code, Errc::too_large);
  for (std::size_t i = 0; i < 2 * SelfDefiningStreams::kBatchRowsMax; ++i) {
    ASSERT_TRUE(add("s0 x=1").ok());
  }
  for (const auto& batch : sink_.batches()) {
    EXPECT_LE(batch.rows.size(), SelfDefiningStreams::kBatchRowsMax);
  }
}

TEST_F(SelfDefiningStreamsTest, ClosedIsPassedOn) {
  sink_.set_refuse([](const StreamSchema&) -> Result<void> { return {Errc::closed, "stopping"}; });
  ASSERT_TRUE(add("a x=1").ok());
  EXPECT_EQ(streams_.flush(sink_).error().code, Errc::closed);
  EXPECT_THAT(sink_.reports(), IsEmpty());
}

TEST_F(SelfDefiningStreamsTest, OtherRefusalsAreReported) {
  sink_.set_refuse([](const StreamSchema&) -> Result<void> {
    return {Errc::storage_full, "full"};
  });
  ASSERT_TRUE(add("a x=1").ok());
  EXPECT_TRUE(streams_.flush(sink_).ok());
  ASSERT_THAT(sink_.reports(), SizeIs(1));
  EXPECT_EQ(sink_.reports()[0].where, "a");
}

}  // namespace
}  // namespace dunlin::agent
