#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <stop_token>

#include "common/base/time.h"
#include "dunlin/result.h"

namespace dunlin {

// Tells systemd (or whatever started the program with $NOTIFY_SOCKET set) how it goes, by the
// datagrams of sd_notify(3). Without a service manager every call succeeds and does nothing.
// Thread-safe.
class ServiceManager {
 public:
  // `address` is a path, or "@name" for an abstract socket; "" = nobody listens.
  explicit ServiceManager(std::string address) : address_(std::move(address)) {}
  // Reads $NOTIFY_SOCKET; call it before threads start.
  static ServiceManager from_environment();

  static constexpr Duration kStepMax = std::chrono::minutes(1);

  Result<void> ready() const { return notify("READY=1"); }
  // The configuration is read again; ready() ends it, whatever came of it.
  Result<void> reloading() const;
  // A start or a reload, which may take long, got on: it lives, and has another kStepMax.
  Result<void> progress() const;
  Result<void> stopping() const { return notify("STOPPING=1"); }
  Result<void> watchdog() const { return notify("WATCHDOG=1"); }
  // One line for `systemctl status`; must not contain a newline.
  Result<void> status(std::string_view text) const { return notify("STATUS=" + std::string(text)); }

  // The interval within which watchdog() must be called ($WATCHDOG_USEC, when meant for this
  // process).
  static std::optional<Duration> watchdog_interval();

 private:
  Result<void> notify(std::string_view state) const;
  std::string address_;
};

}  // namespace dunlin
