#include "cli/image/agent_settings.h"

#include <gmock/gmock.h>

#include "cli/image/build.h"
#include "tests/support/temp_dir.h"

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

TEST(AgentSettings, MoreOfThemAreTomlOfOneNameEach) {
  const test::TempDir folder, other;
  const std::string good = folder.write("sensors.toml", "[[input]]\ntype = \"host\"\n");
  const std::string more = folder.write("more.toml", "");
  EXPECT_TRUE(check_settings({good, more}).ok());
  EXPECT_EQ(check_settings({good, good}).error().code, Errc::invalid_argument);
  EXPECT_EQ(check_settings({good, other.write("Sensors.toml", "")}).error().code,
            Errc::invalid_argument);
  for (const char* name : {"sensors.conf", "toml", ".toml"})
    EXPECT_EQ(check_settings({folder.write(name, "")}).error().code, Errc::invalid_argument);
  EXPECT_EQ(check_settings({folder.file("missing.toml")}).error().code, Errc::not_found);

  const std::string bad = folder.write("bad.toml", "[storage]\nmax_bytes = \n");
  const Error mistake = check_settings({good, bad}).error();
  EXPECT_EQ(mistake.code, Errc::config);
  EXPECT_THAT(mistake.context, HasSubstr(bad + ":2:"));
}

TEST(AgentSettings, AnImageIsMadeOfNoMistakes) {
  BuildOptions options;
  options.out = "a.img";
  options.settings = {"sensors.conf"};
  EXPECT_THAT(build(options).error().context, HasSubstr("sensors.conf"));
  options.settings.clear();
  options.bundle = options.token = "file";
  EXPECT_EQ(build(options).error().code, Errc::invalid_argument);
  EXPECT_THAT(build(options).error().context, HasSubstr("not both"));
}

}  // namespace
}  // namespace dunlin::image
