#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/inputs/input.h"
#include "tests/support/fake_sink.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

TEST(InputRegistry, KnowsTheBuiltInDrivers) {
  EXPECT_THAT(input_types(),
              IsSupersetOf({"csv", "exec", "gpio", "host", "hwmon", "iio", "line_protocol",
                            "modbus", "model", "mqtt", "serial", "stdin", "thermal", "w1"}));
}

TEST(InputRegistry, UnknownTypesNameTheNearest) {
  EXPECT_THAT(test::make_input("type = \"hots\"\n").mistakes,
              ElementsAre(HasSubstr("did you mean \"host\"?")));
  EXPECT_THAT(test::make_input("").mistakes, ElementsAre(HasSubstr("[[input]] type: missing")));
}

TEST(InputRegistry, UnknownKeysOfADriverAreMistakes) {
  EXPECT_THAT(
      test::make_input("type = \"host\"\nintervall = \"5s\"\n").mistakes,
      ElementsAre("test.toml:3: [[input]] intervall: unknown key; did you mean \"interval\"?"));
}

TEST(InputRegistry, TakesFurtherDrivers) {
  class Nothing final : public Input {
    Result<void> run(InputSink&, std::stop_token) override { return {}; }
  };
  register_input("nothing", [](config::Table&) -> Result<std::unique_ptr<Input>> {
    return std::unique_ptr<Input>(std::make_unique<Nothing>());
  });
  EXPECT_NE(test::make_input("type = \"nothing\"\n").input, nullptr);
}

TEST(WaitFor, EndsWithTheTimeOrTheStop) {
  std::stop_source source;
  EXPECT_TRUE(wait_for(source.get_token(), std::chrono::milliseconds(1)));
  source.request_stop();
  EXPECT_FALSE(wait_for(source.get_token(), std::chrono::hours(1)));
}

}  // namespace
}  // namespace dunlin::agent
