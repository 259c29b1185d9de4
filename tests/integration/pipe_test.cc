#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "common/storage/sqlite.h"
#include "tests/bench/byte_counter.h"
#include "tests/bench/pipe/message.h"
#include "tests/bench/pipe/reading_table.h"
#include "tests/bench/pipe/sink.h"
#include "tests/bench/pipe/source.h"
#include "tests/support/eventually.h"
#include "tests/support/mosquitto.h"
#include "tests/support/temp_dir.h"

namespace dunlin::bench {
namespace {

using Mode = PipeSourceOptions::Mode;

// A place for one process's JSON lines.
class Lines {
 public:
  Lines() : file_(std::tmpfile(), &std::fclose) {}
  std::FILE* file() const { return file_.get(); }

  // The number behind `key` in every line of that event.
  std::vector<std::int64_t> values(const std::string& event, const std::string& key) const {
    std::rewind(file_.get());
    std::vector<std::int64_t> found;
    char line[1024];
    while (std::fgets(line, sizeof(line), file_.get())) {
      const std::string text = line;
      if (text.find("\"event\":\"" + event + "\"") == std::string::npos) continue;
      const std::size_t at = text.find("\"" + key + "\":");
      if (at != std::string::npos) found.push_back(std::stoll(text.substr(at + key.size() + 3)));
    }
    return found;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

// Both ends in threads of this process, the source behind a byte counter.
class PipeTest : public testing::Test {
 protected:
  void run(std::uint16_t broker_port, PipeSourceOptions source) {
    auto counter = ByteCounter::start(broker_port);
    ASSERT_TRUE(counter.ok()) << counter.error().message();
    source.database = source_path_;
    source.broker_port = (*counter)->port();
    source.time_limit = kTimeLimit;
    source.out = source_lines_.file();
    PipeSinkOptions sink;
    sink.database = sink_path_;
    sink.broker_port = broker_port;
    sink.readings = source.readings;
    sink.time_limit = kTimeLimit;
    sink.out = sink_lines_.file();

    auto sink_end = std::async(std::launch::async, [&] { return pipe_sink_main(sink); });
    EXPECT_EQ(pipe_source_main(source), 0);
    EXPECT_EQ(sink_end.get(), 0);
    wire_bytes_ = (*counter)->bytes_to_target();
  }

  // Every reading of the outbox stands in the sink's table, once.
  void expect_equal_tables(std::int64_t readings) {
    auto outbox = ReadingTable::open(source_path_);
    auto table = ReadingTable::open(sink_path_);
    ASSERT_TRUE(outbox.ok() && table.ok());
    EXPECT_EQ(outbox->cursor().value(), readings);
    const auto n = static_cast<std::size_t>(readings) + 1;
    std::vector<Reading> sent, received;
    ASSERT_TRUE(outbox->read(0, n, sent).ok());
    ASSERT_TRUE(table->read(0, n, received).ok());
    ASSERT_EQ(sent.size(), static_cast<std::size_t>(readings));
    ASSERT_EQ(received.size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      ASSERT_EQ(received[i].time_us, sent[i].time_us) << i;
      ASSERT_EQ(received[i].values, sent[i].values) << i;
    }
    EXPECT_EQ(table->last_id().value(), readings);
  }

  static constexpr std::chrono::seconds kTimeLimit{60};
  const test::TempDir folder_;
  const std::string source_path_ = folder_.file("source.db");
  const std::string sink_path_ = folder_.file("sink.db");
  Lines source_lines_, sink_lines_;
  std::uint64_t wire_bytes_ = 0;
};

TEST_F(PipeTest, OnlineBringsEveryReadingOnce) {
  DUNLIN_START_MOSQUITTO(broker);
  PipeSourceOptions source;
  source.readings = 5000;
  run(broker->port(), source);
  expect_equal_tables(5000);
  EXPECT_EQ(sink_lines_.values("durable", "readings"), std::vector<std::int64_t>{5000});
  EXPECT_EQ(sink_lines_.values("newest", "id"), std::vector<std::int64_t>{5000});
  EXPECT_EQ(sink_lines_.values("finished", "malformed"), std::vector<std::int64_t>{0});
  EXPECT_EQ(source_lines_.values("appended_all", "readings"), std::vector<std::int64_t>{5000});
  EXPECT_GT(wire_bytes_, 5000u * 50);
}

TEST_F(PipeTest, BacklogIsAppendedBeforeConnecting) {
  DUNLIN_START_MOSQUITTO(broker);
  PipeSourceOptions source;
  source.mode = Mode::backlog;
  source.readings = 5030;  // the last message is a short one
  run(broker->port(), source);
  expect_equal_tables(5030);
  EXPECT_GE(source_lines_.values("connected", "clock_us").at(0),
            source_lines_.values("appended_all", "clock_us").at(0));
}

TEST_F(PipeTest, TrickleTellsALatencyForEveryReading) {
  DUNLIN_START_MOSQUITTO(broker);
  PipeSourceOptions source;
  source.mode = Mode::trickle;
  source.readings = 20;
  source.trickle_period = std::chrono::milliseconds(5);
  run(broker->port(), source);
  expect_equal_tables(20);
  EXPECT_EQ(sink_lines_.values("latency", "latency_us").size(), 20u);
}

TEST_F(PipeTest, ABrokerThatForgetsEverythingLosesNothing) {
  DUNLIN_START_MOSQUITTO(broker);
  auto watched = ReadingTable::open(sink_path_);
  ASSERT_TRUE(watched.ok());
  PipeSourceOptions source;
  source.mode = Mode::trickle;
  source.readings = 1000;
  source.trickle_period = std::chrono::milliseconds(1);
  auto run_end = std::async(std::launch::async, [&] { run(broker->port(), source); });
  EXPECT_TRUE(test::eventually([&] { return watched->last_id().value() >= 100; }));
  broker->kill();
  EXPECT_TRUE(broker->restart().ok());
  run_end.get();
  watched = ReadingTable();
  expect_equal_tables(1000);
  EXPECT_GE(sink_lines_.values("connected", "clock_us").size(), 2u);
}

TEST(PipeMessage, ReadsBackWhatWasWritten) {
  std::vector<Reading> readings(4);
  readings[0] = {1'767'225'600'001'000, {21.53, 45.1, 12345.6, 4.15}, 0};
  readings[1] = {1'767'225'600'001'250, {-3.25, 0.1 + 0.2, 1e300, 5e-324}, 0};
  readings[2] = {7, {100000, 0.001, 0.0005, 1e15}, 99};
  readings[3] = {0, {0, std::numeric_limits<double>::max(), 999999999999.999, 1. / 3}, 0};
  std::string text;
  encode_message(1201, readings, text);
  EXPECT_TRUE(text.starts_with(
      R"({"first":1201,"readings":[{"t":1767225600001,"temperature":21.53,"humidity":45.1,)"
      R"("light":12345.6,"battery":4.15},{"t":1767225600001.25,)"))
      << text;
  std::vector<Reading> decoded;
  const auto first = decode_message(text, decoded);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(*first, 1201);
  ASSERT_EQ(decoded.size(), readings.size());
  for (std::size_t i = 0; i < readings.size(); ++i) {
    EXPECT_EQ(decoded[i].time_us, readings[i].time_us) << i;
    EXPECT_EQ(decoded[i].values, readings[i].values) << i;
    EXPECT_EQ(decoded[i].clock_us, readings[i].clock_us) << i;
  }
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(decode_message(std::string_view(text).substr(0, size), decoded).ok()) << size;
  }
}

}  // namespace
}  // namespace dunlin::bench
