#include "cli/image/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/inputs/input.h"
#include "tests/support/temp_dir.h"

namespace dunlin::image {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

const std::string kShipped = DUNLIN_SOURCE_DIR "/firmware-profiles";

constexpr const char* kBoard = R"(description = "A board"
architecture = "armhf"
cpu = "cortex-a7"
ram = "128MiB"
flash = "512MiB"
wear_per_day = "200MiB"
console = "ttyS2"
sensors = ["host", "csv"]

[partitions]
boot = "32MiB"
root = "96MiB"
data = "100MiB"

[agent]
max_bytes = "64MiB"
min_free_bytes = "8MiB"
flush_interval = "5s"
)";

// A folder of profiles whose only class is `board`.
class Profiles {
 public:
  explicit Profiles(std::string_view toml) {
    fs::create_directory(folder_.path() / "board");
    folder_.write("board/profile.toml", toml);
  }
  std::string path() const { return folder_.path(); }
  Result<Profile> load() const { return load_profile(path(), "board"); }
  // Its mistakes without the folder: "profile.toml:3: cpu: ...".
  std::string mistakes() const {
    const Result<Profile> profile = load();
    if (profile) return "";
    std::string text = profile.error().context;
    const std::string folder = path() + "/board/";
    for (std::size_t at; (at = text.find(folder)) != std::string::npos;)
      text.erase(at, folder.size());
    return text;
  }

 private:
  test::TempDir folder_;
};

std::string with(const std::string& line, const std::string& instead) {
  std::string toml = kBoard;
  const std::size_t at = toml.find(line);
  EXPECT_NE(at, std::string::npos) << line;
  return toml.replace(at, line.size(), instead);
}

TEST(Profile, EveryShippedOneIsRight) {
  const std::vector<std::string> names = profile_names(kShipped);
  EXPECT_THAT(names, IsSupersetOf({"generic-arm64", "generic-armhf", "qemu-arm64", "qemu-armhf",
                                   "raspberrypi-arm64", "x86_64-pc"}));
  for (const std::string& name : names) {
    const Result<Profile> profile = load_profile(kShipped, name);
    ASSERT_TRUE(profile.ok()) << profile.error().message();
    EXPECT_EQ(profile->name, name);
    EXPECT_TRUE(fs::exists(kShipped + "/" + name + "/toolchain.cmake")) << name;
    EXPECT_TRUE(profile->qemu.has_value() || !name.starts_with("qemu-")) << name;
  }
}

TEST(Profile, SaysWhatTheHardwareIs) {
  const Profiles profiles(std::string(kBoard) + "[qemu]\nmachine = \"virt\"\ncpu = \"cortex-a7\"");
  const Result<Profile> board = profiles.load();
  ASSERT_TRUE(board.ok()) << board.error().message();
  EXPECT_EQ(board->name, "board");
  EXPECT_EQ(board->description, "A board");
  EXPECT_EQ(board->architecture, "armhf");
  EXPECT_EQ(board->cpu, "cortex-a7");
  EXPECT_EQ(board->ram, 128U << 20);
  EXPECT_EQ(board->flash, 512U << 20);
  EXPECT_EQ(board->wear_per_day, 200U << 20);
  EXPECT_EQ(board->console, "ttyS2");
  EXPECT_THAT(board->sensors, ElementsAre("host", "csv"));
  EXPECT_EQ(board->partitions.boot, 32U << 20);
  EXPECT_EQ(board->partitions.root, 96U << 20);
  EXPECT_EQ(board->partitions.data, 100U << 20);
  EXPECT_EQ(board->agent.max_bytes, 64U << 20);
  EXPECT_EQ(board->agent.min_free_bytes, 8U << 20);
  EXPECT_EQ(board->agent.flush_interval, 5s);
  ASSERT_TRUE(board->qemu.has_value());
  EXPECT_EQ(board->qemu->machine, "virt");
  EXPECT_EQ(board->qemu->cpu, "cortex-a7");
}

TEST(Profile, MistakesHaveTheirLine) {
  struct Case {
    const char* line;
    const char* instead;
    const char* mistake;
  };
  const Case cases[] = {
      {"cpu =", "cpus =", "profile.toml:3: cpus: unknown key; did you mean \"cpu\"?"},
      {"cpu =", "cpus =", "profile.toml: cpu: missing"},
      {"\"A board\"", "\"\"", "profile.toml:1: description: must not be empty"},
      {"\"armhf\"", "\"arm46\"",
       "profile.toml:2: architecture: unknown value \"arm46\" (one of amd64, arm64, armhf); did "
       "you "
       "mean \"arm64\"?"},
      {"architecture = \"armhf\"", "", "profile.toml: architecture: missing"},
      {"\"cortex-a7\"", "\"cortex a7\"", "profile.toml:3: cpu: should be letters, digits and "},
      {"\"128MiB\"", "\"32MiB\"", "profile.toml:4: ram: at least 64MiB, not 32MiB"},
      {"\"128MiB\"", "\"128 pages\"", "profile.toml:4: ram: "},
      {"\"512MiB\"", "\"300MiB\"",
       "profile.toml:5: flash: boot, two roots, data and their tables are 326MiB, which do not fit "
       "300MiB"},
      {"wear_per_day = \"200MiB\"", "", "profile.toml: wear_per_day: missing"},
      {"\"ttyS2\"", "\"ttyS2 quiet\"", "profile.toml:7: console: should be letters"},
      {"\"csv\"", "\"thermals\"",
       "profile.toml:8: sensors: no input has the type \"thermals\"; did you mean \"thermal\"?"},
      {"\"csv\"", "\"host\"", "profile.toml:8: sensors: \"host\" stands there twice"},
      {"sensors = [\"host\", \"csv\"]", "", "profile.toml: sensors: missing"},
      {"\"32MiB\"", "\"33MB\"", "profile.toml:11: [partitions] boot: should be whole MiB"},
      {"root = \"96MiB\"", "", "profile.toml:10: [partitions] root: missing"},
      {"[partitions]", "[partition]", "profile.toml:10: partition: unknown key"},
      {"\"64MiB\"", "\"90MiB\"",
       "profile.toml:16: [agent] max_bytes: with min_free_bytes 98MiB, of a data partition that "
       "has "
       "room for 90MiB"},
      {"\"64MiB\"", "\"64KiB\"", "profile.toml:16: [agent] max_bytes: at least 1MiB"},
      {"\"5s\"", "\"1s\"",
       "profile.toml:18: [agent] flush_interval: writes up to 973209600 bytes a day, and "
       "wear_per_day "
       "is 200MiB"},
      {"\"5s\"", "\"0\"", "profile.toml:18: [agent] flush_interval: should be more than 0"},
      {"\"5s\"", "5", "profile.toml:18: [agent] flush_interval: "},
      {"[agent]", "[qemu]\nmachine = \"virt\"\n[agent]", "profile.toml:15: [qemu] cpu: missing"},
  };
  for (const Case& each : cases) {
    EXPECT_THAT(Profiles(with(each.line, each.instead)).mistakes(), HasSubstr(each.mistake));
  }
}

TEST(Profile, AllMistakesAreToldAtOnce) {
  const std::string mistakes =
      Profiles("ram = \"1kB\"\nspeed = 3\n[agent]\nmax_byte = 1").mistakes();
  for (const char* each : {"ram", "speed", "max_byte", "architecture", "flash", "boot"}) {
    EXPECT_THAT(mistakes, HasSubstr(each));
  }
  EXPECT_THAT(Profiles("ram = ").mistakes(), HasSubstr("profile.toml:1:"));
}

TEST(Profile, AClassIsAFolderAndNothingElse) {
  test::TempDir folder;
  for (const std::string& name : profile_names(kShipped)) {
    fs::copy(kShipped + "/" + name, folder.path() / ("my-" + name), fs::copy_options::recursive);
  }
  folder.write("README.md", "no class");
  fs::create_directory(folder.path() / "base");
  const std::vector<std::string> names = profile_names(folder.path());
  EXPECT_EQ(names.size(), profile_names(kShipped).size());
  for (const std::string& name : names) {
    const Result<Profile> profile = load_profile(folder.path(), name);
    ASSERT_TRUE(profile.ok()) << profile.error().message();
    EXPECT_THAT(profile->name, StartsWith("my-"));
  }
}

TEST(Profile, AnUnknownClassIsToldWhichThereAre) {
  for (const char* name : {"qemu-arm46", "", "..", "../firmware-profiles/qemu-arm64"}) {
    const Result<Profile> profile = load_profile(kShipped, name);
    ASSERT_FALSE(profile.ok()) << name;
    EXPECT_EQ(profile.error().code, Errc::not_found);
    EXPECT_THAT(profile.error().context, HasSubstr("generic-arm64 generic-armhf qemu-arm64"));
  }
  EXPECT_THAT(load_profile(kShipped, "qemu-arm46").error().context,
              HasSubstr("did you mean \"qemu-arm64\"?"));
  EXPECT_THAT(load_profile("/nowhere", "board").error().context, HasSubstr("there is none"));
  EXPECT_THAT(profile_names("/nowhere"), IsEmpty());
}

// What a profile may name is what an agent has; the command line does not carry the agent to know
// it.
TEST(Profile, EveryTypeOfInputMayBeNamed) {
  for (const std::string& type : agent::input_types()) {
    if (type == "nothing") continue;  // of registry_test.cc
    const Profiles profiles(with("\"csv\"", "\"" + type + "\", \"nonsense\""));
    EXPECT_THAT(profiles.mistakes(), Not(HasSubstr("the type \"" + type + "\""))) << type;
    EXPECT_THAT(profiles.mistakes(), HasSubstr("the type \"nonsense\""));
  }
}

}  // namespace
}  // namespace dunlin::image
