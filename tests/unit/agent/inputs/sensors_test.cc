#include "agent/inputs/sensors.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>

#include "common/base/stop_event.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/sys_tree.h"

namespace dunlin::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(Sensors, NamesAreToldApart) {
  test::FakeSink sink;
  const SensorNames names = {{"1-0048", "Core 0"}, {"1-0049", "Core 9"}};
  Sensors sensors(sink, {}, names);
  EXPECT_EQ(sensors.name("Core 0"), "Core_0");
  EXPECT_EQ(sensors.name("Core 0"), "Core_0_2");
  EXPECT_EQ(sensors.name("Core_0"), "Core_0_3");
  EXPECT_EQ(sensors.name(""), "unnamed");
  EXPECT_EQ(sensors.device_name("1-0048", "tmp75"), "Core_0_4");
  EXPECT_EQ(sensors.device_name("", "tmp75"), "tmp75");
  EXPECT_THAT(sensors.missing(), ElementsAre(Pair("1-0049", "Core 9")));
}

TEST(SensorInput, WithoutSensorsItReportsOnceAndLooksOn) {
  test::FakeSink sink;
  std::atomic<int> looks = 0;
  test::InputRun run(sink, make_sensor_input({"s", "there", 1ms}, [&](Sensors&) { ++looks; }));
  ASSERT_TRUE(test::eventually([&] { return !sink.reports().empty(); }));
  EXPECT_TRUE(run.stop().ok());
  ASSERT_THAT(sink.reports(), SizeIs(1));
  EXPECT_EQ(sink.reports()[0].where, "there");
  EXPECT_EQ(looks, 1);
  EXPECT_EQ(sink.rows(), 0u);
}

TEST(SensorInput, SaysWhenItWaitsForThem) {
  // What the sink was told at the time at which sensors were read, and after.
  class Watched final : public InputSink {
   public:
    Stamp now() override { return {}; }
    Result<void> append(const StreamSchema&, Rows, bool) override {
      waited_in_append = patience.has_value();
      return {Errc::closed, "enough"};
    }
    void report(const std::string&, const Error&, std::uint64_t) override {}
    void waiting(std::optional<std::chrono::microseconds> given) override { patience = given; }
    std::optional<std::chrono::microseconds> patience;
    std::optional<bool> waited_in_append;
  };
  Watched sink;
  std::optional<std::chrono::microseconds> patience;
  const auto input = make_sensor_input({"s", "there", 10s}, [&](Sensors& sensors) {
    patience = sink.patience;
    sensors.add("x", 1, {"V", 3});
  });
  EXPECT_TRUE(input->run(sink, {}).ok());
  EXPECT_EQ(patience, 30s);
  EXPECT_EQ(sink.waited_in_append, false);
}

TEST(SensorInput, ASensorThatHangsLetsGoWhenItAnswers) {
  test::SysTree sys;
  sys.make_pipe("pipe");
  test::FakeSink sink;
  std::atomic<int> looks = 0;
  test::InputRun run(sink, make_sensor_input({"s", "there", 1ms}, [&](Sensors& sensors) {
                       if (++looks == 1) sensors.add_attribute("x", sys.path("pipe"), {"V", 3});
                     }));
  ASSERT_TRUE(test::eventually([&] { return looks == 1; }));
  const FileDescriptor answer(::open(sys.path("pipe").c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::write(answer.get(), "12\n", 3), 3);
  EXPECT_TRUE(test::eventually([&] { return sink.rows() >= 1; }));
  EXPECT_EQ(sink.lines().front(), "s 1700000000000000 x=12");
  EXPECT_TRUE(run.stop().ok());
}

}  // namespace
}  // namespace dunlin::agent
