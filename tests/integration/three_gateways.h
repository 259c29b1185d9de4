#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/fleet.h"
#include "tests/support/talker.h"

namespace dunlin::test {

// Two cells, three agents in each, and three gateways: one of each cell and one of both.
class ThreeGateways {
 public:
  explicit ThreeGateways(Fleet& fleet, const std::string& broker_keys = {})
      : fleet_(fleet),
        north(add("gate-north", {"north"}, broker_keys)),
        both(add("gate-both", {"north", "south"}, broker_keys)),
        south(add("gate-south", {"south"}, broker_keys)) {
    for (const std::string cell : {"north", "south"}) {
      for (int n = 1; n <= 3; ++n) {
        fleet_.add_agent(cell + "-" + std::to_string(n),
                         {.cells = {cell}, .broker_keys = broker_keys});
      }
    }
  }

  Member& add(const std::string& name, const std::vector<std::string>& cells,
              const std::string& broker_keys = {}) {
    return fleet_.add_gateway({.name = name, .cells = cells, .broker_keys = broker_keys});
  }

  // All run, and every agent has said so many readings and goes on.
  testing::AssertionResult begin(std::int64_t readings) {
    const Result<void> started = fleet_.start();
    if (!started.ok()) return testing::AssertionFailure() << started.error().message();
    talk();
    return testing::AssertionResult(says_more(readings));
  }
  // Every agent says some hundred readings a second from now on.
  void talk() {
    for (const auto& agent : fleet_.agents())
      talkers_.push_back(std::make_unique<Talker>(*agent, std::chrono::milliseconds(50)));
  }
  void hush() { talkers_.clear(); }
  // That each agent has said so many more readings, whoever hears them.
  bool says_more(std::int64_t readings) const {
    std::vector<std::int64_t> wanted;
    for (const auto& agent : fleet_.agents()) wanted.push_back(agent->readings() + readings);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const Member& agent = *fleet_.agents()[i];
      if (!eventually([&] { return agent.readings() >= wanted[i]; })) return false;
    }
    return true;
  }

  // A reading of each agent of a cell, under a name that nothing had before,
  bool mark(const std::string& name, const std::string& cell) const {
    bool said = true;
    for (const auto& agent : fleet_.agents()) {
      if (agent->cells().front() == cell) said = agent->say(name + " n=1i\n") && said;
    }
    return said;
  }
  // and whether a gateway has them all.
  static bool sees(const Member& gateway, const std::string& name) {
    return eventually(
        [&] { return gateway.sql_integer("SELECT count(*) FROM stream_" + name) == 3; },
        std::chrono::seconds(60));
  }

  // "" when every gateway that runs has what all agents said, and each of it once.
  std::string each_once() {
    std::string wrong = fleet_.converge();
    for (const auto& gateway : fleet_.gateways()) {
      if (!wrong.empty() || !gateway->process().running()) continue;
      const std::string numbers = "SELECT count(*) - count(DISTINCT node || n) FROM stream_numbers";
      const std::int64_t doubled = gateway->sql_integer(numbers);
      if (doubled != 0) wrong = gateway->name() + " has " + std::to_string(doubled) + " twice";
    }
    return wrong;
  }

 private:
  Fleet& fleet_;
  std::vector<std::unique_ptr<Talker>> talkers_;

 public:
  Member &north, &both, &south;
};

}  // namespace dunlin::test
