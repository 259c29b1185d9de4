#include "agent/inputs/gpio.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/gpio.h>
#include <unistd.h>

#include <map>

#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Lines whose events the test writes, as the kernel lays them out. What the kernel itself does is
// not tested here.
class GpioInputTest : public ::testing::Test {
 protected:
  std::unique_ptr<Input> input(bool rates = false) {
    return make_gpio_input({"gpio",
                            1ms,
                            rates,
                            {{"rain", {.chip = "/dev/gpiochip9", .line = "17"}},
                             {"wind", {.chip = "/dev/gpiochip9", .line = "WIND"}}}},
                           [this](const GpioLine& line) { return request(line); });
  }
  void edges(const std::string& line, std::uint32_t first, std::uint32_t last) {
    std::vector<gpio_v2_line_event> events;
    for (std::uint32_t n = first; n != last + 1; ++n) {
      events.push_back({.timestamp_ns = 1, .id = GPIO_V2_LINE_EVENT_RISING_EDGE, .line_seqno = n});
    }
    const std::size_t size = events.size() * sizeof events[0];
    ASSERT_EQ(::write(ends_.at(line).get(), events.data(), size), static_cast<ssize_t>(size));
  }
  bool reads(const std::string& line) {
    return test::eventually([&] {
      const auto lines = sink_.lines();
      return !lines.empty() && lines.back() == "gpio 1700000000000000 " + line;
    });
  }
  std::map<std::string, FileDescriptor> ends_;
  test::FakeSink sink_;

 private:
  Result<FileDescriptor> request(const GpioLine& line) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return {Errc::io, "pipe"};
    ends_[line.line] = FileDescriptor(ends[1]);
    return FileDescriptor(ends[0]);
  }
};

TEST_F(GpioInputTest, CountsByTheNumbersOfEdges) {
  test::InputRun run(sink_, input());
  ASSERT_TRUE(reads("rain=0 wind=0"));
  edges("17", 1, 2);
  EXPECT_TRUE(reads("rain=2 wind=0"));
  edges("WIND", 1, 40);
  EXPECT_TRUE(reads("rain=2 wind=40"));
  edges("WIND", 1000, 1003);  // the kernel dropped those between
  EXPECT_TRUE(reads("rain=2 wind=1003"));
  edges("17", 3, 3);
  EXPECT_TRUE(reads("rain=3 wind=1003"));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_EQ(sink_.batches().front().schema.fields[0], (Field{"rain", FieldType::int64, "1", 0}));
}

TEST_F(GpioInputTest, NumbersStartOverAfter32Bits) {
  test::InputRun run(sink_, input());
  ASSERT_TRUE(reads("rain=0 wind=0"));
  edges("17", 0xffff'fffe, 0xffff'ffff);
  EXPECT_TRUE(reads("rain=4294967295 wind=0"));
  edges("17", 0, 3);
  EXPECT_TRUE(reads("rain=4294967299 wind=0"));
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(GpioInputTest, GoesOnFromItsCountWhenTheChipWasGone) {
  const auto made = input();
  const auto run_until_gone = [&](const char* line) {
    Result<void> result;
    const std::size_t before = sink_.rows();
    std::jthread thread([&](std::stop_token stop) { result = made->run(sink_, std::move(stop)); });
    EXPECT_TRUE(test::eventually([&] { return sink_.rows() > before; }));
    edges("17", 1, 5);
    EXPECT_TRUE(reads(line));
    ends_.clear();
    thread.join();
    return result;
  };
  EXPECT_THAT(run_until_gone("rain=5 wind=0").error().context, HasSubstr("gpiochip9 line 17"));
  EXPECT_FALSE(run_until_gone("rain=10 wind=0").ok());
}

TEST_F(GpioInputTest, RatesAreEdgesASecond) {
  test::InputRun run(sink_, input(true));
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 2; }));
  EXPECT_EQ(sink_.lines()[0], "gpio 1700000000000000 rain=0 wind=0");  // of nothing before
  EXPECT_EQ(sink_.lines()[1], "gpio 1700000000000000 rain=0 rain_rate=0 wind=0 wind_rate=0");
  EXPECT_EQ(sink_.batches().front().schema.fields[1],
            (Field{"rain_rate", FieldType::decimal, "Hz", 3}));
  edges("17", 1, 7);
  // Once, in the reading that counts them first.
  ASSERT_TRUE(test::eventually([&] {
    int moved = 0;
    for (const auto& batch : sink_.batches()) {
      const Cell& rate = batch.rows.cell(0, 1);
      if (rate.kind == Cell::Kind::integer && rate.integer > 0) ++moved;
    }
    return moved == 1;
  }));
  EXPECT_TRUE(run.stop().ok());
}

TEST(GpioInput, KeysAreChecked) {
  EXPECT_THAT(test::make_input("type = \"gpio\"\nedge = \"both\"\nbias = \"pull_up\"\n"
                               "debounce = \"5ms\"\nrates = true\n[input.lines]\nrain = \"17\"\n")
                  .mistakes,
              IsEmpty());
  EXPECT_THAT(test::make_input("type = \"gpio\"\n").mistakes,
              ElementsAre(HasSubstr("at least one line")));
  EXPECT_THAT(test::make_input("type = \"gpio\"\nedge = \"up\"\n[input.lines]\nrain = \"\"\n")
                  .mistakes.size(),
              2u);
}

TEST(GpioLine, WhatIsNoChipIsAnError) {
  EXPECT_THAT(request_gpio_line({.chip = "/nowhere/gpiochip0", .line = "1"}).error().context,
              HasSubstr("/nowhere/gpiochip0: No such file"));
  EXPECT_THAT(request_gpio_line({.chip = "/dev/null", .line = "1"}).error().context,
              HasSubstr("/dev/null: Inappropriate ioctl"));
}

}  // namespace
}  // namespace dunlin::agent
