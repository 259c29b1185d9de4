#include "tests/bench/pipe/source.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "agent/inputs/greenhouse.h"
#include "tests/bench/pipe/link.h"
#include "tests/bench/pipe/message.h"
#include "tests/bench/pipe/reading_table.h"
#include "tests/bench/pipe/report.h"

namespace dunlin::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kResendAfter{5};
constexpr std::chrono::milliseconds kReconnectPause{50};
constexpr std::chrono::milliseconds kCursorPeriod{50};
constexpr std::int64_t kCursorStep = 10'000;

constexpr std::array<double, 4> kUnits = {100, 10, 10, 1000};  // of the greenhouse's decimals

// Two threads of ours share it: the main thread appends and moves the cursor, the publisher owns
// the link and reads the outbox through a connection of its own.
class Source final : private LinkEvents {
 public:
  explicit Source(const PipeSourceOptions& options) : options_(options), report_(options.out) {}

  Result<void> run();

 private:
  Result<void> append_all();
  Result<void> append(std::size_t count);
  void make(std::size_t count);
  Result<void> wait_for_connection();
  Result<void> wait_for_confirmations();
  Result<void> finish();

  void publisher();
  Result<void> publish_until_lost(Link& link);
  bool may_publish() const;
  void add_clocks(std::int64_t first, std::vector<Reading>& readings);
  void stop(std::optional<Error> failure);

  void on_message(mqtt::const_message_ptr message) override;
  void on_published() override;
  void on_lost() override;

  const PipeSourceOptions& options_;
  const Clock::time_point end_ = Clock::now() + options_.time_limit;
  const bool trickle_ = options_.mode == PipeSourceOptions::Mode::trickle;
  Report report_;
  agent::Greenhouse greenhouse_{{.seed = options_.seed}};
  Rows rows_{kUnits.size()};
  std::vector<Reading> readings_;
  ReadingTable outbox_;       // of the main thread
  ReadingTable reader_;       // the same file, of the publisher
  std::int64_t cursor_ = 0;   // in the database
  std::int64_t last_id_ = 0;  // when everything is appended
  std::int64_t messages_ = 0, resent_ = 0;

  std::mutex mutex_;                                            // of everything below
  std::condition_variable changed_;                             // for the publisher
  std::condition_variable main_;                                // for the main thread
  std::int64_t committed_ = 0, published_ = 0, confirmed_ = 0;  // ids
  std::size_t in_flight_ = 0;
  bool connected_ = false, lost_ = false, stopping_ = false;
  std::optional<Error> failure_;
  std::deque<std::int64_t> clocks_us_;  // trickle: of the readings after `confirmed_`
};

Result<void> Source::run() {
  DUNLIN_ASSIGN(outbox_, ReadingTable::open(options_.database));
  DUNLIN_ASSIGN(reader_, ReadingTable::open(options_.database));
  DUNLIN_ASSIGN(committed_, outbox_.last_id());
  DUNLIN_ASSIGN(cursor_, outbox_.cursor());
  confirmed_ = cursor_;
  last_id_ = committed_ + options_.readings;
  clocks_us_.assign(trickle_ ? static_cast<std::size_t>(committed_ - cursor_) : 0, 0);
  report_.event("started");
  std::thread publisher;
  const auto start = [&] { publisher = std::thread([this] { this->publisher(); }); };
  const bool backlog = options_.mode == PipeSourceOptions::Mode::backlog;
  if (!backlog) start();
  Result<void> result;
  if (trickle_) result = wait_for_connection();
  if (result) result = append_all();
  if (backlog) start();
  if (result) result = wait_for_confirmations();
  stop(std::nullopt);
  publisher.join();
  DUNLIN_TRY(result);
  return finish();
}

Result<void> Source::wait_for_connection() {
  std::unique_lock lock(mutex_);
  main_.wait_until(lock, end_, [this] { return connected_ || stopping_; });
  if (!connected_) return {Errc::timeout, "connecting"};
  return {};
}

Result<void> Source::append_all() {
  const std::size_t step = trickle_ ? 1 : options_.rows_per_commit;
  const auto begin = Clock::now();
  std::int64_t left = options_.readings;
  for (std::int64_t batch = 0; left > 0; ++batch) {
    if (trickle_) std::this_thread::sleep_until(begin + batch * options_.trickle_period);
    const std::size_t count = std::min(step, static_cast<std::size_t>(left));
    DUNLIN_TRY(append(count));
    left -= static_cast<std::int64_t>(count);
  }
  report_.event("appended_all", {{"readings", options_.readings}});
  return {};
}

// One transaction. The cursor rides along when it has fallen behind.
Result<void> Source::append(std::size_t count) {
  const std::int64_t appended_us = trickle_ ? clock_us() : 0;
  make(count);
  std::int64_t committed, confirmed;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    if (Clock::now() >= end_) return {Errc::timeout, "appended " + std::to_string(committed_)};
    committed = committed_;
    confirmed = confirmed_;
    if (trickle_) clocks_us_.insert(clocks_us_.end(), count, appended_us);
  }
  DUNLIN_TRY(outbox_.begin());
  DUNLIN_TRY(outbox_.insert(committed + 1, readings_));
  if (confirmed - cursor_ >= kCursorStep) {
    DUNLIN_TRY(outbox_.move_cursor(confirmed));
    cursor_ = confirmed;
  }
  DUNLIN_TRY(outbox_.commit());
  const std::lock_guard lock(mutex_);
  committed_ = committed + static_cast<std::int64_t>(count);
  changed_.notify_all();
  return {};
}

// The next readings of the series, as floating-point numbers.
void Source::make(std::size_t count) {
  rows_.clear();
  greenhouse_.next(count, rows_);
  readings_.resize(count);
  for (std::size_t row = 0; row < count; ++row) {
    readings_[row].time_us = rows_.time(row);
    for (std::size_t i = 0; i < kUnits.size(); ++i) {
      readings_[row].values[i] = static_cast<double>(rows_.cell(row, i).integer) / kUnits[i];
    }
  }
}

Result<void> Source::wait_for_confirmations() {
  std::unique_lock lock(mutex_);
  while (confirmed_ < last_id_) {
    main_.wait_for(lock, kCursorPeriod, [this] { return stopping_ || confirmed_ >= last_id_; });
    if (failure_) return *failure_;
    if (Clock::now() >= end_) return {Errc::timeout, "confirmed " + std::to_string(confirmed_)};
    if (confirmed_ - cursor_ < kCursorStep) continue;
    cursor_ = confirmed_;
    lock.unlock();
    DUNLIN_TRY(outbox_.move_cursor_lazily(cursor_));
    lock.lock();
  }
  report_.event("confirmed", {{"readings", options_.readings}});
  return {};
}

Result<void> Source::finish() {
  DUNLIN_TRY(outbox_.begin());
  DUNLIN_TRY(outbox_.move_cursor(last_id_));
  DUNLIN_TRY(outbox_.commit());
  reader_ = ReadingTable();
  DUNLIN_ASSIGN(const std::uint64_t bytes, outbox_.checkpoint());
  report_.finished({{"database_bytes", static_cast<std::int64_t>(bytes)},
                    {"messages", messages_},
                    {"resent", resent_}});
  return {};
}

void Source::publisher() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      lost_ = false;
      in_flight_ = 0;
      resent_ += std::max<std::int64_t>(0, published_ - confirmed_);
      published_ = confirmed_;
    }
    Link link({.port = options_.broker_port,
               .client_id = options_.topic + "-source",
               .subscription = options_.topic + "/ack",
               .window = static_cast<int>(options_.window)},
              *this);
    if (!link.connect()) {
      std::this_thread::sleep_for(kReconnectPause);
      continue;
    }
    report_.event("connected", link.connected_us());
    {
      const std::lock_guard lock(mutex_);
      connected_ = true;
      main_.notify_all();
    }
    if (const auto result = publish_until_lost(link); !result) return stop(result.error());
  }
}

bool Source::may_publish() const {
  const auto unconfirmed = static_cast<std::size_t>(published_ - confirmed_);
  return published_ < committed_ && in_flight_ < options_.window &&
         unconfirmed < options_.unconfirmed_max * options_.readings_per_message;
}

Result<void> Source::publish_until_lost(Link& link) {
  const std::string topic = options_.topic + "/data";
  std::vector<Reading> readings;
  std::string message;
  std::int64_t confirmed_before = -1;
  auto progress = Clock::now();
  std::unique_lock lock(mutex_);
  while (!stopping_ && !lost_) {
    changed_.wait_for(lock, kResendAfter, [this] { return stopping_ || lost_ || may_publish(); });
    if (confirmed_ != confirmed_before || published_ == confirmed_) {
      confirmed_before = confirmed_;
      progress = Clock::now();
    } else if (Clock::now() - progress >= kResendAfter) {
      resent_ += published_ - confirmed_;
      published_ = confirmed_;
      progress = Clock::now();
    }
    if (stopping_ || lost_ || !may_publish()) continue;
    ++in_flight_;
    const std::int64_t first = published_ + 1;
    lock.unlock();
    DUNLIN_TRY(reader_.read(first - 1, options_.readings_per_message, readings));
    if (trickle_) add_clocks(first, readings);
    encode_message(first, readings, message);
    const bool sent = link.publish(topic, message, 1).ok();
    lock.lock();
    if (!sent) return {};
    ++messages_;
    published_ = std::max(confirmed_, first - 1 + static_cast<std::int64_t>(readings.size()));
  }
  return {};
}

void Source::add_clocks(std::int64_t first, std::vector<Reading>& readings) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const std::int64_t index = first + static_cast<std::int64_t>(i) - confirmed_ - 1;
    if (index >= 0 && index < static_cast<std::int64_t>(clocks_us_.size())) {
      readings[i].clock_us = clocks_us_[static_cast<std::size_t>(index)];
    }
  }
}

void Source::stop(std::optional<Error> failure) {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  if (failure && !failure_) failure_ = std::move(failure);
  changed_.notify_all();
  main_.notify_all();
}

// A confirmation: the last id that the sink has committed.
void Source::on_message(mqtt::const_message_ptr message) {
  const mqtt::string& text = message->get_payload_str();
  std::int64_t id = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), id).ec != std::errc()) return;
  const std::lock_guard lock(mutex_);
  if (id <= confirmed_ || id > committed_) return;
  if (trickle_) {
    const auto gone =
        std::min<std::int64_t>(id - confirmed_, static_cast<std::int64_t>(clocks_us_.size()));
    clocks_us_.erase(clocks_us_.begin(), clocks_us_.begin() + gone);
  }
  confirmed_ = id;
  published_ = std::max(published_, id);
  changed_.notify_all();
  if (confirmed_ >= last_id_) main_.notify_all();
}

void Source::on_published() {
  const std::lock_guard lock(mutex_);
  if (in_flight_ > 0) --in_flight_;
  changed_.notify_all();
}

void Source::on_lost() {
  const std::lock_guard lock(mutex_);
  lost_ = true;
  changed_.notify_all();
}

}  // namespace

int pipe_source_main(const PipeSourceOptions& options) {
  const Result<void> result = Source(options).run();
  if (result) return 0;
  std::fprintf(stderr, "pipe source: %s\n", result.error().message().c_str());
  return 1;
}

}  // namespace dunlin::bench
