// A small cell that its agents keep, and the lines that tell of it.
#include "tests/simulation/scale/gossip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/simulation/scale/scale_figures.h"

namespace dunlin::simulation {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

const GossipRun& small_run() {
  static const GossipRun run = run_gossip({.keepers = 8, .entries = 5, .seed = 3});
  return run;
}

TEST(Gossip, ComesToAllWithoutItsPush) {
  const GossipRun& run = small_run();
  EXPECT_THAT(run.problems, IsEmpty());
  for (const GossipSpread* each : {&run.said, &run.handed}) {
    EXPECT_THAT(each->rounds, AllOf(SizeIs(5), Each(Ge(1.0))));
    EXPECT_THAT(each->spreading, AllOf(SizeIs(5), Each(Ge(0.1))));
  }
  EXPECT_THAT(run.said.seconds, Each(Le(10.0)));     // the first Vector comes after two
  EXPECT_THAT(run.handed.seconds, Each(Le(500.0)));  // a period, and half of one
  EXPECT_GT(run.idle.bytes_down, run.idle.bytes_up);
  ASSERT_TRUE(run.meeting.has_value());
  EXPECT_GE(run.meeting->seconds, 1.0);
  EXPECT_THAT(run.meeting->digests, AllOf(Ge(1.0), Le(8 * 8.0)));
  EXPECT_GT(run.meeting->messages, run.meeting->digests);
}

TEST(Gossip, TellsEachFigureInALine) {
  testing::internal::CaptureStdout();
  print_gossip(small_run());
  std::istringstream lines(testing::internal::GetCapturedStdout());
  std::map<std::string, double> figures;
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["batch"], 8);
    figures[std::string(json["figure"]) + json.value("dataset", "")] = json["value"];
  }
  EXPECT_EQ(figures.size(), 20U);
  EXPECT_EQ(figures["log2_of_keepers"], 3.0);
  EXPECT_EQ(figures["problems"], 0.0);
  EXPECT_EQ(figures["idle_sent_an_hour"], small_run().idle.bytes_up);
  EXPECT_GE(figures["gossip_p99handed"], figures["gossip_meanhanded"] / 2);
  EXPECT_GE(figures["gossip_rounds_meansaid"], 1.0);
}

}  // namespace
}  // namespace dunlin::simulation
