#include "agent/inputs/lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/random.h"

namespace dunlin::agent {
namespace {

using ::testing::ElementsAre;

struct Collected {
  std::vector<std::string> lines;
  LineSplitter::OnLine on_line = [this](std::uint64_t number, Result<std::string_view> line) {
    lines.push_back(std::to_string(number) + ":" +
                    (line.ok() ? std::string(line.value()) : std::string("!")));
  };
};

TEST(LineSplitter, LinesMayComeInPieces) {
  LineSplitter splitter(10);
  Collected seen;
  splitter.feed("ab", seen.on_line);
  splitter.feed("c\r\n\nde", seen.on_line);
  EXPECT_THAT(seen.lines, ElementsAre("1:abc", "2:"));
  splitter.finish(seen.on_line);
  splitter.finish(seen.on_line);
  EXPECT_THAT(seen.lines, ElementsAre("1:abc", "2:", "3:de"));
}

TEST(LineSplitter, OverLongLinesAreDiscardedAndTheRestGoesOn) {
  LineSplitter splitter(4);
  Collected seen;
  splitter.feed("abcd\nabcde", seen.on_line);
  for (int i = 0; i < 100; ++i) splitter.feed("more more more", seen.on_line);
  splitter.feed("\nok\nfar too long\nok\n", seen.on_line);
  EXPECT_THAT(seen.lines, ElementsAre("1:abcd", "2:!", "3:ok", "4:!", "5:ok"));
}

TEST(LineSplitter, TheWayTheBytesAreCutDoesNotMatter) {
  const std::string text = "a\nbb\n\nccccccc\nd\r\neeeeeeeeeeeeeee\nf";
  Collected whole;
  LineSplitter splitter(8);
  splitter.feed(text, whole.on_line);
  splitter.finish(whole.on_line);
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    Collected cut;
    LineSplitter other(8);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = 1 + random.below(5);
      other.feed(std::string_view(text).substr(at, n), cut.on_line);
      at += n;
    }
    other.finish(cut.on_line);
    ASSERT_EQ(cut.lines, whole.lines);
  }
}

}  // namespace
}  // namespace dunlin::agent
