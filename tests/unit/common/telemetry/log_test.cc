#include "common/telemetry/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace dunlin {
namespace {

constexpr std::int64_t kTime = 1'740'830'400'123'456;  // 2025-03-01T12:00:00.123456Z

std::string logfmt(log::Fields fields) {
  const std::string line =
      log::format_line(log::Format::logfmt, kTime, log::Level::warn, "e", fields);
  const std::string start = "time=2025-03-01T12:00:00.123Z level=warn event=e";
  EXPECT_EQ(line.substr(0, start.size()), start);
  return line.size() > start.size() ? line.substr(start.size() + 1) : "";
}

std::string json_text(std::string_view text) {
  const std::string line =
      log::format_line(log::Format::json, kTime, log::Level::info, "e", {{"v", text}});
  return nlohmann::json::parse(line).at("v");  // throws, and so fails, on invalid UTF-8
}

TEST(Log, LogfmtQuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(logfmt({}), "");
  EXPECT_EQ(logfmt({{"url", "mqtt://h:1883"}, {"attempt", 3}}), "url=mqtt://h:1883 attempt=3");
  EXPECT_EQ(logfmt({{"a", ""}, {"b", "x y"}, {"c", "k=v"}, {"d", "say \"hi\""}, {"e", "a\\b"}}),
            R"(a="" b="x y" c="k=v" d="say \"hi\"" e="a\\b")");
  EXPECT_EQ(logfmt({{"v", "1\n2\t3\r4\x1b[0m\x7f"}}), R"(v="1\n2\t3\r4\u001b[0m\u007f")");
  EXPECT_EQ(logfmt({{"v",
                     "\xc2\x9b"
                     "31m"}}),
            R"(v="\u009b31m")");
  EXPECT_EQ(logfmt({{"v", "grün"}}), "v=\"grün\"");
  EXPECT_EQ(logfmt({{"a b\nc=", 1}}), "a_b_c_=1");
}

TEST(Log, WritesEveryKindOfValue) {
  const std::uint64_t large = std::numeric_limits<std::uint64_t>::max();
  const std::int64_t small = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(logfmt({{"a", large}, {"b", small}, {"c", true}, {"d", false}}),
            "a=18446744073709551615 b=-9223372036854775808 c=true d=false");
  EXPECT_EQ(logfmt({{"a", 21.53}, {"b", 1e300}, {"c", -0.5F}}), "a=21.53 b=1e+300 c=-0.5");
  EXPECT_EQ(logfmt({{"a", std::string("s")}, {"b", std::string_view("v")}, {"c", std::size_t{7}}}),
            "a=s b=v c=7");
}

TEST(Log, JsonIsValidAndExact) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(log::format_line(log::Format::json, kTime, log::Level::error, "broker_lost",
                             {{"n", -3},
                              {"x", 0.1},
                              {"ok", false},
                              {"nan", nan},
                              {"inf", -infinity},
                              {"t", "a\"b\\c\nd"}}),
            R"({"time":"2025-03-01T12:00:00.123Z","level":"error","event":"broker_lost","n":-3,)"
            R"("x":0.1,"ok":false,"nan":"nan","inf":"-inf","t":"a\"b\\c\nd"})");
}

TEST(Log, InvalidUtf8BecomesTheReplacementCharacter) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(json_text("a\xff"
                      "b"),
            "a" + r + "b");
  EXPECT_EQ(json_text("\xc0\xaf"), r + r);                  // overlong
  EXPECT_EQ(json_text("\xe0\x80\x80"), r + r + r);          // overlong
  EXPECT_EQ(json_text("\xed\xa0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(json_text("\xf4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
  EXPECT_EQ(json_text("\xe2\x82"), r + r);                  // cut off
  EXPECT_EQ(json_text("\xe2\x82\xac \xf0\x9f\x90\xa6"), "\xe2\x82\xac \xf0\x9f\x90\xa6");
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  EXPECT_EQ(json_text(every).substr(0, 128), every.substr(0, 128));
}

TEST(Log, CutsLongTextBetweenCharacters) {
  EXPECT_EQ(json_text(std::string(log::kTextMax, 'x')), std::string(log::kTextMax, 'x'));
  EXPECT_EQ(json_text(std::string(10'000, 'x')), std::string(log::kTextMax, 'x') + "...");
  std::string euros = "x";
  while (euros.size() < 10'000) euros += "\xe2\x82\xac";
  const std::string cut = json_text(euros);
  EXPECT_EQ(cut.find("\xef\xbf\xbd"), std::string::npos);
  EXPECT_LE(cut.size(), log::kTextMax + 3);
}

TEST(Log, NamesOfLevelsAndFormats) {
  EXPECT_EQ(log::level_from("debug"), log::Level::debug);
  EXPECT_EQ(log::level_from("error"), log::Level::error);
  EXPECT_FALSE(log::level_from("loud"));
  EXPECT_EQ(log::format_from("json"), log::Format::json);
  EXPECT_FALSE(log::format_from("xml"));
}

// Sends log lines through a pipe for the length of a test.
class Captured {
 public:
  Captured() {
    if (::pipe(fds_.data()) == 0) log::set_output(fds_[1]);
  }
  ~Captured() {
    log::set_output(STDERR_FILENO);
    log::set_level(log::Level::info);
    log::set_format(log::Format::logfmt);
    ::close(fds_[0]);
    if (fds_[1] >= 0) ::close(fds_[1]);
  }
  // What was written; call from the reading end, once the writers are about to finish.
  std::string read_to_end() const {
    std::string all;
    std::array<char, 4096> part;
    for (;;) {
      const ssize_t n = ::read(fds_[0], part.data(), part.size());
      if (n <= 0) return all;
      all.append(part.data(), static_cast<std::size_t>(n));
    }
  }
  void end() {
    log::set_output(STDERR_FILENO);
    ::close(fds_[1]);
    fds_[1] = -1;
  }

 private:
  std::array<int, 2> fds_{-1, -1};
};

TEST(Log, LevelsSwitchLive) {
  Captured captured;
  log::debug("hidden");
  log::info("shown", {{"n", 1}});
  log::set_level(log::Level::error);
  EXPECT_FALSE(log::enabled(log::Level::warn));
  log::warn("hidden");
  log::set_level(log::Level::debug);
  log::set_format(log::Format::json);
  log::debug("shown_too");
  captured.end();
  const std::string text = captured.read_to_end();
  EXPECT_EQ(text.find("hidden"), std::string::npos);
  EXPECT_NE(text.find("level=info event=shown n=1\n"), std::string::npos);
  EXPECT_NE(text.find(R"("level":"debug","event":"shown_too"})"
                      "\n"),
            std::string::npos);
}

TEST(Log, LinesOfManyThreadsNeverMix) {
  Captured captured;
  log::set_format(log::Format::json);
  std::string text;
  std::thread reader([&] { text = captured.read_to_end(); });
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([t] {
      const std::string filler(2'000, static_cast<char>('a' + t));
      for (int i = 0; i < 100; ++i) {
        log::info("line", {{"a", filler}, {"b", filler}, {"c", filler}});  // above PIPE_BUF
      }
    });
  }
  for (auto& writer : writers) writer.join();
  captured.end();
  reader.join();
  int lines = 0;
  for (std::size_t at = 0; at < text.size(); ++lines) {
    const std::size_t end = text.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    const auto line = nlohmann::json::parse(text.substr(at, end - at));
    EXPECT_EQ(line.at("a"), line.at("c"));
    at = end + 1;
  }
  EXPECT_EQ(lines, 400);
}

TEST(Log, AnOutputThatIsGoneIsNoError) {
  log::set_output(-1);
  errno = 7;
  log::error("nobody_reads_this");
  EXPECT_EQ(errno, 7);
  log::set_output(STDERR_FILENO);
}

}  // namespace
}  // namespace dunlin
