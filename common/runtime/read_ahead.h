#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "common/replication/io.h"

namespace dunlin::runtime {

// Messages whose turn has come, between the mailbox and the loop. While the loop works on one, a
// thread prepares others that wait (replication/prepared.h), the last one first: so the two meet
// in the middle, and both cores work on what comes in. It decides nothing, and changes no order.
class ReadAhead {
 public:
  // `verifier` is for the thread alone. Null: there is no thread, and messages go through as they
  // are.
  explicit ReadAhead(std::unique_ptr<Verifier> verifier);
  ~ReadAhead();

  bool has_thread() const { return verifier_ != nullptr; }
  // The functions below are for one thread, the loop. `key`: under which the message may be
  // prepared, its sender's; null: not at all.
  void add(replication::Lane lane, replication::Received message, const Bytes* key);
  std::size_t size(replication::Lane lane) const { return jobs_[index(lane)].size(); }
  // The next of a lane that is not empty. Waits for the thread when that is at it.
  replication::Received take(replication::Lane lane);

 private:
  enum class State { waiting, at_work, done };
  struct Job {
    replication::Received message;
    Bytes key;
    State state = State::waiting;
  };
  static std::size_t index(replication::Lane lane) { return static_cast<std::size_t>(lane); }
  static constexpr std::size_t kReadyMax = 8 * 1024 * 1024;

  Job* next();
  void run();

  const std::unique_ptr<Verifier> verifier_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable done_;
  std::deque<Job> jobs_[2];  // by lane; the loop alone adds and takes, under the mutex
  std::size_t ready_ = 0;    // cost of what is prepared and was not taken
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace dunlin::runtime
