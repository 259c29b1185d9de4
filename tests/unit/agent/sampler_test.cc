#include "agent/sampler.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>

#include "agent/inputs/files.h"
#include "agent/inputs/schedule.h"
#include "common/base/stop_event.h"
#include "common/storage/query.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Pair;

const StreamSchema kSchema{"numbers", {{"n", FieldType::int64, "", 0}}};

Result<void> say(InputSink& sink, std::int64_t n) {
  Rows rows(1);
  rows.begin_row(sink.now().time_us);
  rows.add_integer(n);
  return sink.append(kSchema, std::move(rows), false);
}

// What the drivers of a test have done; it outlives them all.
struct Seen {
  std::atomic<int> runs = 0, appended = 0, answers = 0;
  std::atomic<Errc> last = Errc::malformed;
};

// Its sensor is a pipe that nobody writes to: opening it blocks in the kernel.
class Hanging final : public Input {
 public:
  Hanging(std::string pipe, std::shared_ptr<Seen> seen)
      : pipe_(std::move(pipe)), seen_(std::move(seen)) {}
  Result<void> run(InputSink& sink, std::stop_token stop) override {
    ++seen_->runs;
    while (!stop.stop_requested()) {
      sink.waiting(1ms);
      const Result<std::string> text = read_small_file(pipe_);
      sink.waiting(std::nullopt);
      const Result<void> said = say(sink, text.ok() ? 1 : 0);
      seen_->last = said.ok() ? Errc::exists : said.error().code;
      ++seen_->answers;
    }
    return {};
  }

 private:
  const std::string pipe_;
  const std::shared_ptr<Seen> seen_;
};

class Failing final : public Input {
 public:
  explicit Failing(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}
  Result<void> run(InputSink&, std::stop_token) override {
    ++seen_->runs;
    return {Errc::io, "no such wire"};
  }

 private:
  const std::shared_ptr<Seen> seen_;
};

class Good final : public Input {
 public:
  explicit Good(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}
  Result<void> run(InputSink& sink, std::stop_token stop) override {
    return run_every(1ms, stop, [&] {
      const SensorWait wait(sink, 1ms);
      Result<void> said = say(sink, 7);
      if (said.ok()) ++seen_->appended;
      return said;
    });
  }

 private:
  const std::shared_ptr<Seen> seen_;
};

class SamplerTest : public ::testing::Test {
 protected:
  SamplerTest() {
    auto opened = Database::open({.name = "test", .data_dir = folder_.file("data")});
    EXPECT_TRUE(opened.ok());
    database_ = *std::move(opened);
    EXPECT_EQ(::mkfifo(pipe_.c_str(), 0600), 0);
  }
  // Lets one reader of the pipe go.
  void answer() const { FileDescriptor(::open(pipe_.c_str(), O_WRONLY | O_CLOEXEC)); }

  test::TempDir folder_;
  const std::string pipe_ = folder_.file("sensor");
  std::unique_ptr<Database> database_;
  const std::shared_ptr<Seen> hanging_ = std::make_shared<Seen>();
  const std::shared_ptr<Seen> failing_ = std::make_shared<Seen>();
  const std::shared_ptr<Seen> good_ = std::make_shared<Seen>();
};

TEST_F(SamplerTest, WhoHangsOrFailsIsToldOfAndTheOthersGoOn) {
  Sampler sampler(*database_);
  sampler.start("w1", std::make_unique<Hanging>(pipe_, hanging_));
  sampler.start("serial", std::make_unique<Failing>(failing_));
  sampler.start("host", std::make_unique<Good>(good_));
  ASSERT_TRUE(test::eventually([&] {
    sampler.look_after();
    return sampler.counts().down ==
           std::map<std::string, std::uint64_t>{{"host", 0}, {"serial", 1}, {"w1", 1}};
  }));
  sampler.look_after();  // said once
  EXPECT_THAT(sampler.counts().errors, ElementsAre(Pair("serial", Ge(1U)), Pair("w1", 1U)));
  const int before = good_->appended;
  EXPECT_TRUE(test::eventually([&] { return good_->appended > before + 3; }));

  answer();  // and it hangs again
  EXPECT_TRUE(test::eventually([&] { return hanging_->answers == 1; }));
  EXPECT_EQ(hanging_->last, Errc::exists);  // that reading was taken
  EXPECT_TRUE(test::eventually([&] {
    sampler.look_after();
    return sampler.counts().errors.at("w1") == 2;
  }));
  EXPECT_TRUE(test::eventually([&] { return failing_->runs >= 2; }));  // tried again

  sampler.stop(10ms);
  answer();
}

TEST_F(SamplerTest, WhatHangsIsLeftBehindAndReachesNothing) {
  {
    Sampler sampler(*database_);
    sampler.start("w1", std::make_unique<Hanging>(pipe_, hanging_));
    sampler.start("host", std::make_unique<Good>(good_));
    ASSERT_TRUE(test::eventually([&] { return hanging_->runs == 1 && good_->appended > 0; }));
    sampler.stop(10ms);
  }
  const int taken = good_->appended;
  EXPECT_TRUE(database_->flush(10s).ok());
  database_->close();
  database_.reset();
  answer();  // long after
  EXPECT_TRUE(test::eventually([&] { return hanging_->answers == 1; }));
  EXPECT_EQ(hanging_->last, Errc::closed);
  EXPECT_EQ(good_->appended, taken);
}

TEST_F(SamplerTest, WhatEndsIsNotDown) {
  class Short final : public Input {
    Result<void> run(InputSink& sink, std::stop_token) override { return say(sink, 1); }
  };
  Sampler sampler(*database_);
  sampler.start("csv", std::make_unique<Short>());
  sampler.look_after();
  EXPECT_THAT(sampler.counts().down, ElementsAre(Pair("csv", 0)));
  sampler.stop();
  sampler.stop();
}

// Says so many readings and then nothing.
class Talker final : public Input {
 public:
  explicit Talker(int readings) : readings_(readings) {}
  Result<void> run(InputSink& sink, std::stop_token stop) override {
    const StreamSchema schema{"air", {{"temperature", FieldType::int64, "Cel", 0}}};
    for (int i = 0; i < readings_; ++i) {
      Rows rows(1);
      rows.begin_row(i), rows.add_integer(i);
      DUNLIN_TRY(sink.append(schema, std::move(rows), false));
    }
    (void)wait_for(stop, std::chrono::hours(1));
    return {};
  }

 private:
  int readings_;
};

TEST(SamplerFlushTest, TheFirstReadingOfAnInputIsFlushedAtOnce) {
  const test::TempDir folder;
  DatabaseOptions options;
  options.name = "sampled";
  options.data_dir = folder.file("data");
  options.tracks[0].flush_interval = std::chrono::hours(1);
  const auto database = Database::open(std::move(options)).value();
  Sampler sampler(*database);
  sampler.start("talker", std::make_unique<Talker>(3));
  const auto stored = [&] {
    storage::Reader reader = storage::Reader::open(database->path()).value();
    return std::get<std::int64_t>(
        reader.query("SELECT count(*) FROM samples", {}, {}).value().rows[0][0]);
  };
  EXPECT_TRUE(test::eventually([&] { return stored() > 0; }));
  EXPECT_EQ(stored(), 1);
  sampler.stop();
  database->close();
  EXPECT_EQ(stored(), 3);
}

}  // namespace
}  // namespace dunlin::agent
