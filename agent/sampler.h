#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/inputs/input.h"
#include "common/api/http_api.h"
#include "common/telemetry/rate_limit.h"
#include "dunlin/database.h"

namespace dunlin::agent {

// Runs each input on a thread of its own and puts what it reads into the database. An input that
// fails is logged and started again, 1 s later, doubling to 5 minutes; the others go on. The first
// reading of each is flushed at once, the others when their track says.
class Sampler {
 public:
  explicit Sampler(Database& database) : database_(database) {}
  ~Sampler() { stop(); }

  void start(std::string type, std::unique_ptr<Input> input);
  void stop();  // idempotent
  api::InputCounts counts() const;

 private:
  class Sink;
  void run(const std::string& type, Input& input, std::stop_token stop);

  Database& database_;
  mutable std::mutex mutex_;
  api::InputCounts counts_;
  RateLimit reports_;
  std::vector<std::unique_ptr<Input>> inputs_;
  std::vector<std::jthread> threads_;
};

}  // namespace dunlin::agent
