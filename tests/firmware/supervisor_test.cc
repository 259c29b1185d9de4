// What keeps the agent running in an image, here with an agent of this machine.
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "firmware-profiles/base/patience.h"
#include "tests/support/as_root.h"
#include "tests/support/eventually.h"
#include "tests/support/fleet.h"

namespace dunlin::test {
namespace {

TEST(Patience, WhoGetsOnIsLeftToItForHours) {
  using namespace std::chrono_literals;
  const Patience::Time start{};
  Patience patience(start);
  EXPECT_TRUE(patience.lasts(start + 30min - 1s));
  EXPECT_FALSE(patience.lasts(start + 30min));
  Patience::Time now = start;
  // A log that is salvaged for hours, a minute at a time.
  for (; now < start + 5h; now += 50s) {
    ASSERT_TRUE(patience.lasts(now)) << (now - start) / 1min;
    patience.gets_on(now + 1min);
  }
  patience.is_down(now);  // an end meanwhile gives no more time
  EXPECT_FALSE(patience.lasts(now + 1min));
  patience.gets_on(start + 9h);
  EXPECT_TRUE(patience.lasts(start + 6h - 1s));
  EXPECT_FALSE(patience.lasts(start + 6h));
  patience.is_ready();
  patience.gets_on(now + 1min);
  EXPECT_TRUE(patience.lasts(start + 99h));
  patience.is_down(start + 99h);
  EXPECT_FALSE(patience.lasts(start + 99h + 30min));
}

namespace fs = std::filesystem;

class Supervisor : public ::testing::Test {
 protected:
  void SetUp() override {
    DUNLIN_AS_ROOT("becomes another user");
    const passwd* nobody = ::getpwnam("nobody");
    ASSERT_NE(nobody, nullptr);
    ASSERT_EQ(::chown(folder_.path().c_str(), nobody->pw_uid, nobody->pw_gid), 0);
  }
  void supervise(std::vector<std::string> command) {
    command.insert(command.begin(), "nobody");
    process_ = ChildProcess::start({.program = built_program("dunlin-supervisor"),
                                    .args = std::move(command),
                                    .env = {"DUNLIN_SILENCE_MAX=4", "DUNLIN_WATCHDOG=/dev/null",
                                            "DUNLIN_NOTIFY=" + folder_.file("notify")},
                                    .output_file = folder_.file("log")})
                   .value();
  }
  std::string log() const {
    std::ifstream in(folder_.file("log"));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t said(const std::string& what) const {
    const std::string text = log();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  // An agent that reads a model of a greenhouse.
  std::vector<std::string> agent() {
    folder_.write("agent.toml", "[node]\ndata_dir = \"" + folder_.file("data") +
                                    "\"\n[[input]]\ntype = \"model\"\nseed = 1\nperiod = \"1s\"\n");
    return {built_program("dunlin-agent"), "run", "--config", folder_.file("agent.toml")};
  }
  // The process id of the program that it runs; 0 when there is none.
  pid_t child() const {
    std::ifstream in("/proc/" + std::to_string(process_.pid()) + "/task/" +
                     std::to_string(process_.pid()) + "/children");
    pid_t pid = 0;
    in >> pid;
    return pid;
  }
  TempDir folder_;
  ChildProcess process_;
};

TEST_F(Supervisor, StartsAgainWhatEnds) {
  supervise({"/bin/sh", "-c", "echo alive; exit 3"});
  EXPECT_TRUE(eventually([&] { return said("alive") >= 3; }, std::chrono::minutes(1))) << log();
  EXPECT_GE(said("ended with code 3; again in 1 s"), 1U) << log();
  EXPECT_GE(said("again in 2 s"), 1U) << log();
}

TEST_F(Supervisor, TheProgramHasNoPrivileges) {
  supervise({"/bin/sh", "-c",
             "id -u; ulimit -c; grep -E 'NoNewPrivs|CapEff' /proc/self/status; sleep 99"});
  ASSERT_TRUE(eventually([&] { return said("NoNewPrivs:\t1") == 1; })) << log();
  EXPECT_EQ(said("CapEff:\t0000000000000000"), 1U) << log();
  EXPECT_TRUE(log().starts_with("65534\n0\n")) << log();
}

TEST_F(Supervisor, OneThatHangsIsKilledAndStartedAgain) {
  supervise(agent());
  // It says that it is ready before it listens there.
  ASSERT_TRUE(eventually([&] { return fs::exists(folder_.path() / "data/health.sock"); })) << log();
  const pid_t first = child();
  ASSERT_GT(first, 0);
  ::kill(first, SIGSTOP);
  EXPECT_TRUE(eventually([&] { return said("event=started") == 2; }, std::chrono::minutes(1)))
      << log();
  EXPECT_EQ(said("says nothing"), 1U) << log();
  EXPECT_NE(child(), first);
  // While it answers it is left alone.
  EXPECT_NE(child(), 0);
}

// The one that is started in its place could not open the log otherwise.
TEST_F(Supervisor, TheProgramDoesNotOutliveIt) {
  supervise({"/bin/sh", "-c", "echo alive; exec sleep 99"});
  ASSERT_TRUE(eventually([&] { return said("alive") == 1; })) << log();
  const pid_t program = child();
  ASSERT_GT(program, 0);
  process_.kill(SIGKILL);
  EXPECT_TRUE(eventually([&] {
    std::ifstream status("/proc/" + std::to_string(program) + "/cmdline");
    return status.get() == EOF;  // gone, or waits to be reaped
  }));
}

TEST_F(Supervisor, StopsTheProgramWhenItIsStopped) {
  supervise(agent());
  ASSERT_TRUE(eventually([&] { return said("event=started") == 1; })) << log();
  process_.kill(SIGTERM);
  EXPECT_EQ(process_.wait(std::chrono::seconds(20)), 0);
}

}  // namespace
}  // namespace dunlin::test
