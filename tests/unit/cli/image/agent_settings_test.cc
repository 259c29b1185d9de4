#include "cli/image/agent_settings.h"

#include <gmock/gmock.h>

namespace dunlin::image {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(AgentSettings, SensorsThatNeedNoSettingsAreRead) {
  Profile profile;
  profile.sensors = {"iio", "modbus", "thermal"};
  const std::string text = agent_settings(profile);
  EXPECT_THAT(text, HasSubstr("type = \"iio\""));
  EXPECT_THAT(text, HasSubstr("type = \"thermal\""));
  EXPECT_THAT(text, Not(HasSubstr("modbus")));
  EXPECT_THAT(text, Not(HasSubstr("hwmon")));
}

TEST(AgentSettings, NoTemperatureIsReadTwice) {
  Profile profile;
  profile.sensors = {"thermal", "hwmon"};
  EXPECT_THAT(agent_settings(profile), HasSubstr("type = \"thermal\"\nhwmon = false\n"));
}

}  // namespace
}  // namespace dunlin::image
