#include "cli/image/command.h"

#include <gtest/gtest.h>

namespace dunlin::image {
namespace {

TEST(Command, GivesWhatWasPrinted) {
  EXPECT_EQ(run({.argv = {"cat"}, .stdin_text = "a\nb"}).value(), "a\nb");
  EXPECT_EQ(run({{"sh", "-c", "printf '%s' \"$WORD\""}, {"WORD=two words"}}).value(), "two words");
}

TEST(Command, NoShellReadsTheArguments) {
  EXPECT_EQ(run({{"printf", "%s", "$(echo no) ; *"}}).value(), "$(echo no) ; *");
}

TEST(Command, AFailureSaysWhatTheProgramSaid) {
  const auto failed = run({{"sh", "-c", "echo it is full >&2; exit 3"}});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().message(), "io: sh fails with code 3: it is full");
  EXPECT_EQ(run({{"sh", "-c", "kill -9 $$"}}).error().context, "sh fails with code 137: ");
}

TEST(Command, SaysWhatToInstall) {
  EXPECT_EQ(run({{"no-such-program"}}).error().message(),
            "not_found: no-such-program is not installed");
}

// Files without a name are standard input and error; standard output is a pipe here.
TEST(Command, HandsOnNoOpenFiles) {
  EXPECT_EQ(run({{"sh", "-c", "ls -l /proc/self/fd | grep -c deleted"}}).value(), "2\n");
}

}  // namespace
}  // namespace dunlin::image
