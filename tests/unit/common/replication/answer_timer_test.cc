#include "common/replication/answer_timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <vector>

namespace dunlin::replication {
namespace {

using namespace std::chrono_literals;

constexpr double kPlaces = 65536;  // of a number with 16 binary places

TEST(AnswerTimer, ItsLogarithmIsThatOfNumbers) {
  const auto expect_log = [](std::uint64_t x) {
    const double exact = std::log2(static_cast<double>(x) / kPlaces);
    const double made = static_cast<double>(log2_fixed(x)) / kPlaces;
    EXPECT_LE(made, exact + 1e-9) << x;  // rounded down
    EXPECT_NEAR(made, exact, 0x1p-15) << x;
  };
  for (std::uint64_t whole = 1; whole <= 100'000; whole = whole * 3 / 2 + 1)
    expect_log(whole << 16);
  for (unsigned shift = 0; shift < 40; ++shift)
    EXPECT_EQ(log2_fixed(std::uint64_t{1} << (16 + shift)), std::uint64_t{shift} << 16);
  Random random(5);
  for (int i = 0; i < 20'000; ++i) expect_log(65536 + random.below(std::uint64_t{1} << 44));
}

TEST(AnswerTimer, GrowsWithLateEchoesAndIsNeverShort) {
  AnswerTimer timer;
  EXPECT_EQ(timer.span(), 200ms) << "nothing was measured";
  timer.echoed(9ms);
  EXPECT_EQ(timer.span(), 200ms);
  timer.echoed(-5ms);
  EXPECT_EQ(timer.span(), 200ms);
  AnswerTimer slow;
  slow.echoed(50ms);
  EXPECT_EQ(slow.span(), 1s);
}

// One echo of 32 that is late says nothing; two of them do.
TEST(AnswerTimer, GoesByTheSlowestTwentiethOfTheLatestEchoes) {
  AnswerTimer timer;
  timer.echoed(1s);
  for (int i = 0; i < 31; ++i) timer.echoed(20ms);
  EXPECT_EQ(timer.span(), 20 * 20ms);
  timer.echoed(30ms);  // in the place of the late one
  EXPECT_EQ(timer.span(), 20 * 20ms);
  timer.echoed(30ms);
  EXPECT_EQ(timer.span(), 20 * 30ms);
  for (int i = 0; i < 32; ++i) timer.echoed(15ms);
  EXPECT_EQ(timer.span(), 20 * 15ms);
  timer.echoed(1h);
  timer.echoed(1h);
  EXPECT_EQ(timer.span(), 20s) << "but within reason";
}

TEST(AnswerTimer, GatewaysAnswerInTheFirstTenthAndAgentsAfterIt) {
  AnswerTimer timer;
  for (int i = 0; i < 32; ++i) timer.echoed(50ms);
  Random random(7);
  for (const std::size_t nodes : {0u, 1u, 2u, 3u, 200u, 100'000u}) {
    Duration gateways{}, soonest = 1h, agents{};
    for (int i = 0; i < 2000; ++i) {
      const Duration gateway = timer.draw(random, nodes, true);
      const Duration agent = timer.draw(random, nodes, false);
      EXPECT_GE(gateway, 0ms);
      gateways = std::max(gateways, gateway);
      soonest = std::min(soonest, agent);
      agents = std::max(agents, agent);
    }
    EXPECT_LE(gateways, 100ms) << nodes;
    EXPECT_GT(gateways, 90ms) << nodes;
    EXPECT_GE(soonest, 100ms) << nodes;
    EXPECT_LE(agents, 1s) << nodes;
    EXPECT_GT(agents, 900ms) << nodes;
  }
}

// How many of `nodes` answer before they hear the first, on average and at most.
struct Answers {
  double mean = 0;
  std::size_t most = 0;
};
Answers simulate(std::size_t nodes, Duration echo, bool gateways) {
  constexpr int kRounds = 2000;
  AnswerTimer timer;
  for (int i = 0; i < 32; ++i) timer.echoed(echo);
  Random random(nodes + static_cast<std::uint64_t>(echo.count()));
  Answers answers;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Duration> at;
    while (at.size() < nodes) at.push_back(timer.draw(random, nodes, gateways));
    const Duration heard = *std::min_element(at.begin(), at.end()) + echo;
    const auto sent = static_cast<std::size_t>(
        std::count_if(at.begin(), at.end(), [&](Duration each) { return each <= heard; }));
    answers.mean += static_cast<double>(sent) / kRounds;
    answers.most = std::max(answers.most, sent);
  }
  return answers;
}

// From a node to the broker it takes half of an echo, and from there to the others as long.
TEST(AnswerTimer, FewAnswerWhereManyCould) {
  for (const Duration delay : {Duration(50ms), Duration(500ms)}) {
    for (const std::size_t nodes : {200u, 1000u}) {
      const Answers answers = simulate(nodes, 2 * delay, false);
      std::cout << nodes << " nodes, " << delay / 1ms << " ms to the broker: " << answers.mean
                << " answers, at most " << answers.most << "\n";
      EXPECT_LE(answers.mean, 2) << nodes;
      EXPECT_GE(answers.mean, 1.2) << nodes << ": nobody need be that patient";
      EXPECT_LE(answers.most, 20u) << nodes;
    }
  }
}

// A tenth of the time is little for many, but a cell has few gateways.
TEST(AnswerTimer, NotAllOfAFewGatewaysAnswer) {
  for (const auto& [nodes, most] : {std::pair(2u, 1.9), {3u, 2.6}, {5u, 3.7}}) {
    const Answers answers = simulate(nodes, 100ms, true);
    std::cout << nodes << " gateways: " << answers.mean << " answers\n";
    EXPECT_LE(answers.mean, most) << nodes;
  }
}

}  // namespace
}  // namespace dunlin::replication
