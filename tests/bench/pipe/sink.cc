#include "tests/bench/pipe/sink.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/pipe/link.h"
#include "tests/bench/pipe/message.h"
#include "tests/bench/pipe/reading_table.h"
#include "tests/bench/pipe/report.h"

namespace dunlin::bench {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kWaitingMessagesMax = 2000;  // the source has fewer on the way
constexpr std::chrono::milliseconds kReconnectPause{50};

// From Paho's thread to ours. What does not fit is sent again.
class Mailbox final : public LinkEvents {
 public:
  void on_message(mqtt::const_message_ptr message) override {
    const std::lock_guard lock(mutex_);
    if (messages_.size() < kWaitingMessagesMax) messages_.push_back(std::move(message));
    filled_.notify_one();
  }
  void on_published() override {}
  void on_lost() override {
    const std::lock_guard lock(mutex_);
    lost_ = true;
    filled_.notify_one();
  }

  void reset() {
    const std::lock_guard lock(mutex_);
    messages_.clear();
    lost_ = false;
  }
  // Everything that waits, in its order; nothing when the link was lost or the time is over.
  std::deque<mqtt::const_message_ptr> take(SteadyTime until) {
    std::unique_lock lock(mutex_);
    filled_.wait_until(lock, until, [this] { return lost_ || !messages_.empty(); });
    return std::exchange(messages_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<mqtt::const_message_ptr> messages_;
  bool lost_ = false;
};

class Sink {
 public:
  explicit Sink(const PipeSinkOptions& options) : options_(options), report_(options.out) {}

  Result<void> run();

 private:
  Result<void> receive(Link& link);
  Result<void> take(const mqtt::message& message);
  Result<void> finish();
  bool complete() const { return last_id_ >= options_.readings; }
  bool in_time() const { return std::chrono::steady_clock::now() < end_; }

  const PipeSinkOptions& options_;
  const SteadyTime end_ = std::chrono::steady_clock::now() + options_.time_limit;
  Report report_;
  Mailbox mailbox_;
  ReadingTable table_;
  std::vector<Reading> readings_;
  std::int64_t last_id_ = 0;  // every id up to here is durable, none above is
  std::vector<std::int64_t> latencies_us_;
  std::int64_t commits_ = 0, duplicates_ = 0, out_of_order_ = 0, malformed_ = 0;
};

Result<void> Sink::run() {
  DUNLIN_ASSIGN(table_, ReadingTable::open(options_.database));
  DUNLIN_ASSIGN(last_id_, table_.last_id());
  while (!complete() && in_time()) {
    mailbox_.reset();
    Link link({.port = options_.broker_port,
               .client_id = options_.topic + "-sink",
               .subscription = options_.topic + "/data"},
              mailbox_);
    if (!link.connect()) {
      std::this_thread::sleep_for(kReconnectPause);
      continue;
    }
    report_.event("connected");
    DUNLIN_TRY(receive(link));
  }
  if (!complete()) return {Errc::timeout, "last id " + std::to_string(last_id_)};
  return finish();
}

// Until the connection is lost, everything is there or the time is over.
Result<void> Sink::receive(Link& link) {
  const std::string topic = options_.topic + "/ack";
  while (!complete()) {
    const auto messages = mailbox_.take(end_);
    if (messages.empty()) return {};
    int unconfirmed = 0;
    for (const mqtt::const_message_ptr& message : messages) {
      DUNLIN_TRY(take(*message));
      const bool due = ++unconfirmed == options_.confirm_every || message == messages.back();
      if (!due && !complete()) continue;
      unconfirmed = 0;
      // Lost confirmations need no care: the source sends again and is confirmed again.
      if (!link.publish(topic, std::to_string(last_id_), 0)) return {};
    }
  }
  return {};
}

Result<void> Sink::take(const mqtt::message& message) {
  const auto decoded = decode_message(message.get_payload_str(), readings_);
  if (!decoded) {
    ++malformed_;
    return {};
  }
  const std::int64_t first = *decoded;
  const auto count = static_cast<std::int64_t>(readings_.size());
  if (first > last_id_ + 1) {
    out_of_order_ += count;
    return {};
  }
  const std::int64_t rows_before = table_.rows_changed();
  DUNLIN_TRY(table_.begin());
  DUNLIN_TRY(table_.insert(first, readings_));
  DUNLIN_TRY(table_.commit());
  const std::int64_t now = clock_us();
  ++commits_;
  duplicates_ += count - (table_.rows_changed() - rows_before);
  for (std::int64_t i = std::max<std::int64_t>(0, last_id_ + 1 - first); i < count; ++i) {
    const Reading& reading = readings_[static_cast<std::size_t>(i)];
    if (reading.clock_us != 0) latencies_us_.push_back(now - reading.clock_us);
  }
  const bool was_complete = complete();
  last_id_ = std::max(last_id_, first + count - 1);
  if (complete() && !was_complete) {
    report_.event("durable", now, {{"readings", last_id_}});
    report_.event("newest", now, {{"id", last_id_}});
  }
  return {};
}

Result<void> Sink::finish() {
  for (const std::int64_t latency : latencies_us_) {
    report_.event("latency", {{"latency_us", latency}});
  }
  DUNLIN_ASSIGN(const std::uint64_t bytes, table_.checkpoint());
  report_.finished({{"database_bytes", static_cast<std::int64_t>(bytes)},
                    {"readings", last_id_},
                    {"commits", commits_},
                    {"duplicates", duplicates_},
                    {"out_of_order", out_of_order_},
                    {"malformed", malformed_}});
  return {};
}

}  // namespace

int pipe_sink_main(const PipeSinkOptions& options) {
  const Result<void> result = Sink(options).run();
  if (result) return 0;
  std::fprintf(stderr, "pipe sink: %s\n", result.error().message().c_str());
  return 1;
}

}  // namespace dunlin::bench
