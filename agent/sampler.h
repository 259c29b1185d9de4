#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/inputs/input.h"
#include "common/api/http_api.h"
#include "dunlin/database.h"

namespace dunlin::agent {

// Runs each input on a thread of its own and puts what it reads into the database. An input that
// fails is logged and started again, 1 s later, doubling to 5 minutes; one that waits for its
// sensor for too long is logged and waited for. The others go on. The first reading of each is
// flushed at once, the others when their track says.
class Sampler {
 public:
  explicit Sampler(Database& database);
  ~Sampler() { stop(); }

  void start(const std::string& type, std::unique_ptr<Input> input);

  // Logs inputs that began to hang. To be called every few seconds.
  void look_after();

  // Returns when all inputs have ended, but for those that hang: after `patience` they are left to
  // the kernel with their threads, and reach neither the database nor this object any more.
  // Idempotent.
  void stop(std::chrono::milliseconds patience = std::chrono::seconds(2));

  api::InputCounts counts() const;  // any thread

 private:
  struct Books;
  class Runner;

  Database& database_;
  std::shared_ptr<Books> books_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Runner>> runners_;
};

}  // namespace dunlin::agent
