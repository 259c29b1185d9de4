#include "cli/broker.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <system_error>
#include <vector>

#include "common/runtime/topics.h"

namespace dunlin::cli {

namespace {

constexpr auto kPatience = std::chrono::seconds(10);

// What a broker says back.
class Echo final : public TransportEvents {
 public:
  explicit Echo(const Bytes& message) : message_(message) {}

  void on_connected() override {
    const std::lock_guard lock(mutex_);
    connected_ = true;
    changed_.notify_all();
  }
  void on_disconnected(const Error& reason) override {
    const std::lock_guard lock(mutex_);
    reason_ = reason;
  }
  void on_message(std::string_view topic, ByteView payload, bool) override {
    const std::lock_guard lock(mutex_);
    if (std::equal(payload.begin(), payload.end(), message_.begin(), message_.end()))
      heard_.emplace(topic);
    changed_.notify_all();
  }

  bool connected() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return connected_; });
  }
  bool hears(const std::set<std::string>& topics) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      return std::includes(heard_.begin(), heard_.end(), topics.begin(), topics.end());
    });
  }
  Error failure(const std::string& what) {
    const std::lock_guard lock(mutex_);
    return {Errc::timeout, reason_ ? what + ": " + reason_->message() : what};
  }

 private:
  const Bytes& message_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool connected_ = false;
  std::set<std::string> heard_;
  std::optional<Error> reason_;
};

}  // namespace

Result<void> publish(TransportOptions how, const std::string& fleet, const NodeId& authority,
                     const std::set<std::string>& cells, const Bytes& message) {
  std::set<std::string> topics;
  std::vector<Transport::Subscription> subscriptions;
  for (const std::string& cell : cells)
    topics.insert(runtime::topic_name(fleet, cell, replication::TopicClass::authority, authority));
  for (const std::string& topic : topics) subscriptions.push_back({topic, 1});
  const std::string broker = how.url;
  Echo echo(message);
  DUNLIN_ASSIGN(const std::unique_ptr<Transport> transport, make_transport(std::move(how)));
  DUNLIN_TRY(transport->start(echo, subscriptions, {}));
  if (!echo.connected()) return echo.failure(broker + " is not reached");
  for (const std::string& topic : topics)
    DUNLIN_TRY(transport->publish(topic, message, {.qos = 1, .retain = true}));
  if (!echo.hears(topics)) return echo.failure(broker + " does not say the authority's log back");
  transport->stop(true);
  return {};
}

Result<void> reload_broker(const std::string& pid_file) {
  std::error_code unknown;
  if (!std::filesystem::exists(pid_file, unknown) && !unknown) return {};
  pid_t pid = 0;
  if (!(std::ifstream(pid_file) >> pid) || pid <= 1)
    return {Errc::io, pid_file + " does not tell the broker's process"};
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name);
  if (name != "mosquitto" || ::kill(pid, SIGHUP) == 0) return {};
  return {Errc::io, "SIGHUP to mosquitto, process " + std::to_string(pid) + ": " +
                        std::generic_category().message(errno)};
}

}  // namespace dunlin::cli
