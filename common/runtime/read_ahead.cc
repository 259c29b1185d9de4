#include "common/runtime/read_ahead.h"

#include <utility>

namespace dunlin::runtime {

using replication::Lane;
using replication::Prepared;
using replication::Received;

ReadAhead::ReadAhead(std::unique_ptr<Verifier> verifier) : verifier_(std::move(verifier)) {
  if (verifier_ != nullptr) thread_ = std::thread([this] { run(); });
}

ReadAhead::~ReadAhead() {
  if (verifier_ == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void ReadAhead::add(Lane lane, Received message, const Bytes* key) {
  std::deque<Job>& jobs = jobs_[index(lane)];
  Job job{std::move(message), {}, State::done};
  if (verifier_ != nullptr && key != nullptr) job.key = *key, job.state = State::waiting;
  const std::lock_guard lock(mutex_);
  jobs.push_back(std::move(job));
  // One alone is the loop's: waking somebody for it would cost more than it saves.
  if (jobs.size() > 1 && jobs.back().state == State::waiting) work_.notify_one();
}

Received ReadAhead::take(Lane lane) {
  std::deque<Job>& jobs = jobs_[index(lane)];
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return jobs.front().state != State::at_work; });
  Received message = std::move(jobs.front().message);
  jobs.pop_front();
  const bool full = ready_ >= kReadyMax;
  ready_ -= message.prepared.cost();
  if (full && ready_ < kReadyMax) work_.notify_one();
  return message;
}

ReadAhead::Job* ReadAhead::next() {
  if (ready_ >= kReadyMax) return nullptr;
  for (std::deque<Job>& jobs : jobs_) {  // live ones first
    for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
      if (job->state == State::waiting) return &*job;
    }
  }
  return nullptr;
}

void ReadAhead::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    Job* job = nullptr;
    work_.wait(lock, [&] { return stopping_ || (job = next()) != nullptr; });
    if (stopping_) return;
    job->state = State::at_work;
    lock.unlock();
    Received& message = job->message;  // stays where it is: only the loop takes it, when it is done
    message.prepared =
        Prepared(message.payload, message.topic_node, std::move(job->key), *verifier_);
    lock.lock();
    job->state = State::done;
    ready_ += message.prepared.cost();
    done_.notify_one();
  }
}

}  // namespace dunlin::runtime
