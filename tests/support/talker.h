#pragma once

#include <chrono>
#include <string>
#include <thread>

#include "tests/support/fleet.h"

namespace dunlin::test {

// Says numbered readings to one agent, ten at each turn, until it is told to stop, whether the
// agent lives or not. Some thousand a second by default.
class Talker {
 public:
  explicit Talker(const Member& agent,
                  std::chrono::milliseconds turn = std::chrono::milliseconds(5))
      : thread_([&agent, turn](std::stop_token stop) {
          for (std::int64_t n = 0; !stop.stop_requested();) {
            std::string lines;
            for (int i = 0; i < 10; ++i) {
              const std::string number = std::to_string(++n);
              lines += "numbers n=" + number + "i,half=" + number + ".5\n";
            }
            agent.say(lines, std::chrono::seconds(0));
            std::this_thread::sleep_for(turn);  // its pace, no waiting
          }
        }) {}

 private:
  std::jthread thread_;
};

}  // namespace dunlin::test
