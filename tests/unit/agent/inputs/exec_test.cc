#include "agent/inputs/exec.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/inputs/child_program.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/temp_dir.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ExecInputTest : public ::testing::Test {
 protected:
  // An input that runs a script of /bin/sh, which is its own file: no shell is the driver's.
  test::MadeInput make(const std::string& script, const std::string& keys) {
    const std::string file = folder_.write("sensor", "#!/bin/sh\n" + script);
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return test::make_input("type = \"exec\"\ncommand = [\"" + file + "\", \"a b\", \"$HOME\"]\n" +
                            keys);
  }
  std::unique_ptr<Input> input(const std::string& script, const std::string& keys) {
    return make(script, keys).input;
  }
  std::string file(const std::string& name) const { return folder_.file(name); }
  std::string content(const std::string& name) const {
    std::ifstream in(file(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Whether the process whose id stands there has ended; whoever adopted it may not have looked
  // yet.
  bool is_gone(const std::string& name) const {
    return test::eventually([&] {
      std::ifstream in("/proc/" + content(name).substr(0, content(name).find('\n')) + "/stat");
      std::string pid, program, state;
      return !content(name).empty() && (!(in >> pid >> program >> state) || state == "Z");
    });
  }
  std::string errors() const {
    std::string out;
    for (const auto& report : sink_.reports()) out += report.error.message() + "\n";
    return out;
  }
  test::TempDir folder_;
  test::FakeSink sink_;
};

TEST_F(ExecInputTest, RunsEveryIntervalWithItsArguments) {
  test::InputRun run(sink_, input("printf '{\"n\":%d,\"a\":\"%s\",\"b\":\"%s\"}' $# \"$1\" \"$2\"",
                                  "interval = \"10ms\"\nstream = \"x\"\n"));
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() >= 2; })) << errors();
  EXPECT_TRUE(run.stop().ok());
  EXPECT_EQ(sink_.lines().front(), "x 1700000000000000 n=2 a='a b' b='$HOME'");
  EXPECT_THAT(sink_.reports(), IsEmpty());
}

TEST_F(ExecInputTest, OneThatIsKeptRunningIsHeardAtOnce) {
  test::InputRun run(sink_, input("echo 1.5; echo oops; echo 2.5\nsleep 100 & echo $! > " +
                                      file("child") + "\necho $$ > " + file("self") + "\nwait\n",
                                  "format = \"number\"\nfield = \"t:decimal(1):Cel\"\n"));
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 2; })) << errors();
  EXPECT_THAT(errors(), HasSubstr("\"oops\" is not a decimal"));
  ASSERT_TRUE(test::eventually([&] { return !content("self").empty(); }));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_TRUE(is_gone("self"));
  EXPECT_TRUE(is_gone("child"));  // with its whole group
}

TEST_F(ExecInputTest, OneThatIsKeptRunningShouldNotEnd) {
  test::InputRun run(sink_, input("echo 1", "format = \"number\"\n"));
  EXPECT_THAT(run.wait().error().message(), HasSubstr("sensor: ended"));
  EXPECT_EQ(sink_.rows(), 1u);
}

TEST_F(ExecInputTest, AFailureIsReportedWithWhatItSaidAndTheThirdEndsIt) {
  test::InputRun run(sink_, input("echo 7; echo 'no such\tbus' >&2; exit 3",
                                  "interval = \"1ms\"\nformat = \"number\"\n"));
  EXPECT_THAT(run.wait().error().message(), HasSubstr("sensor: exit code 3"));
  EXPECT_EQ(sink_.rows(), 3u);  // what it said is worth something
  const std::string said = errors();
  EXPECT_THAT(said, HasSubstr("\"no such?bus\""));
  EXPECT_THAT(said, HasSubstr("exit code 3"));
}

TEST_F(ExecInputTest, ASuccessForgivesFailures) {
  test::InputRun run(sink_, input("n=$(cat " + file("n") + " || echo 0); echo $((n + 1)) > " +
                                      file("n") + "; [ $((n % 3)) -eq 2 ] && echo 1\n",
                                  "interval = \"1ms\"\nformat = \"number\"\n"));
  EXPECT_TRUE(test::eventually([&] { return sink_.rows() >= 3; })) << errors();
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(ExecInputTest, WhatHangsIsKilledWithItsGroup) {
  // It does not want to end, and neither does its child.
  test::InputRun run(sink_, input("trap '' TERM\necho $$ > " + file("self") +
                                      "\nsh -c 'trap \"\" TERM; echo $$ > " + file("child") +
                                      "; while :; do sleep 1; done' &\nwhile :; do sleep 1; done",
                                  "interval = \"1ms\"\ntimeout = \"500ms\"\n"));
  EXPECT_THAT(run.wait().error().message(), HasSubstr("did not end in time"));
  EXPECT_TRUE(is_gone("self"));
  EXPECT_TRUE(is_gone("child"));
}

TEST_F(ExecInputTest, OneThatIsKeptRunningMayBeSilentForSoLong) {
  test::InputRun run(sink_, input("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.05; done; sleep 9",
                                  "timeout = \"1s\"\nformat = \"number\"\n"));
  EXPECT_THAT(run.wait().error().message(), HasSubstr("was silent"));
  EXPECT_EQ(sink_.rows(), 8u);
}

TEST_F(ExecInputTest, WhatItLeavesBehindIsKilled) {
  test::InputRun run(sink_, input("sleep 100 & echo $! > " + file("child") + "; echo 1",
                                  "interval = \"1h\"\nformat = \"number\"\n"));
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 1; })) << errors();
  EXPECT_TRUE(is_gone("child"));  // while the input runs on
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(ExecInputTest, AProgramThatIsNotThereIsAnError) {
  auto made = test::make_input("type = \"exec\"\ncommand = [\"/nowhere/sensor\"]\n");
  ASSERT_THAT(made.mistakes, IsEmpty());
  test::InputRun run(sink_, std::move(made.input));
  EXPECT_EQ(run.wait().error().code, Errc::not_found);
}

TEST_F(ExecInputTest, KeysAreChecked) {
  EXPECT_THAT(test::make_input("type = \"exec\"\n").mistakes, ElementsAre(HasSubstr("command")));
  EXPECT_THAT(test::make_input("type = \"exec\"\ncommand = [\"x\"]\ntimeout = \"2d\"\n"
                               "format = \"number\"\nfield = \"t:decimal(99)\"\n")
                  .mistakes.size(),
              2u);
}

// ---- what a program gets ----

// What a program that runs to its end says.
std::string said_by(const std::vector<std::string>& command) {
  auto program = ChildProgram::start(command);
  if (!program.ok()) return program.error().message();
  std::optional<std::string> end;
  EXPECT_TRUE(test::eventually([&] { return (end = program->ended()).has_value(); }));
  char said[512];
  const ssize_t n = ::read(program->out(), said, sizeof said);
  return std::string(said, n > 0 ? static_cast<std::size_t>(n) : 0);
}

TEST(ChildProgram, GetsNoDescriptor) {
  const FileDescriptor leak(::dup(STDERR_FILENO));  // open on exec
  ASSERT_EQ(::fcntl(leak.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(said_by({"ls", "/proc/self/fd"}), "0\n1\n2\n3\n");  // the last one is that folder
}

TEST(ChildProgram, GetsNoBlockedSignalAndNoSecret) {
  ::setenv("DUNLIN_BROKER__PASSWORD", "secret", 1);
  ::setenv("SENSOR_BUS", "3", 1);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const std::string mask = said_by({"grep", "SigBlk", "/proc/self/status"});
  const std::string said = said_by({"sh", "-c", "echo \"$DUNLIN_BROKER__PASSWORD,$SENSOR_BUS\""});
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::unsetenv("DUNLIN_BROKER__PASSWORD");
  ::unsetenv("SENSOR_BUS");
  EXPECT_EQ(mask, "SigBlk:\t0000000000000000\n");
  EXPECT_EQ(said, ",3\n");
}

TEST(ChildProgram, SaysHowItEnded) {
  const auto end_of = [](const char* script) {
    auto program = ChildProgram::start({"sh", "-c", script});
    std::optional<std::string> end;
    if (program.ok()) {
      EXPECT_TRUE(test::eventually([&] { return (end = program->ended()).has_value(); }));
    }
    return end.value_or("not started");
  };
  EXPECT_EQ(end_of("exit 0"), "");
  EXPECT_EQ(end_of("exit 7"), "exit code 7");
  EXPECT_EQ(end_of("kill -9 $$"), "killed by signal 9");
}

TEST(ChildProgram, NothingIsLeftWhenItGoes) {
  pid_t pid = -1;
  {
    auto program = ChildProgram::start({"sh", "-c", "echo $$; exec sleep 100"});
    ASSERT_TRUE(program.ok());
    char said[32] = {};
    ASSERT_TRUE(
        test::eventually([&] { return ::read(program->out(), said, sizeof said - 1) > 0; }));
    pid = std::stoi(said);
    ASSERT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);  // not even a zombie
}

}  // namespace
}  // namespace dunlin::agent
