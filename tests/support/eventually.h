#pragma once

#include <chrono>
#include <thread>

namespace dunlin::test {

// Asks until `predicate` holds or `deadline` has passed; returns its last answer. The deadline is
// for a test that fails: choose it generously.
template <typename Predicate>
bool eventually(Predicate predicate,
                std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace dunlin::test
