#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dunlin/result.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace dunlin::test {

// A real Prometheus on a free loopback port, in a folder of its own. It scrapes each second, as job
// dunlin. The destructor stops it by its pid.
class Prometheus {
 public:
  struct Options {
    std::vector<std::uint16_t> targets = {};  // ports of 127.0.0.1
    std::vector<std::string> rules = {};      // files
  };
  // Returns once it is ready. `not_found`: it is not installed.
  static Result<std::unique_ptr<Prometheus>> start(const Options& options);

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // What is in "data" of an answer; null when there is none.
  nlohmann::json get(const std::string& path) const;
  // The series that a query gives now, each with labels ("metric") and value ("value").
  nlohmann::json query(const std::string& promql) const;
  std::string log() const;  // what it has printed so far

 private:
  Prometheus() = default;

  TempDir folder_;
  std::uint16_t port_ = 0;
  ChildProcess process_;
};

}  // namespace dunlin::test
