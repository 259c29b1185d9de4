#include "common/runtime/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace dunlin {

namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

ServiceManager ServiceManager::from_environment() {
  return ServiceManager(std::string(environment("NOTIFY_SOCKET")));
}

std::optional<Duration> ServiceManager::watchdog_interval() {
  const auto microseconds = number(environment("WATCHDOG_USEC"));
  if (!microseconds || *microseconds <= 0) return std::nullopt;
  const std::string_view pid = environment("WATCHDOG_PID");
  if (!pid.empty() && number(pid) != getpid()) return std::nullopt;
  return Duration(*microseconds);
}

Result<void> ServiceManager::reloading() const {
  // What it is compared with is CLOCK_MONOTONIC.
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return notify("RELOADING=1\nMONOTONIC_USEC=" +
                std::to_string(std::chrono::duration_cast<Duration>(now).count()));
}

Result<void> ServiceManager::progress() const {
  return notify("WATCHDOG=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(kStepMax.count()));
}

Result<void> ServiceManager::notify(std::string_view state) const {
  if (address_.empty()) return {};
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if ((address_[0] != '/' && address_[0] != '@') || address_.size() >= sizeof to.sun_path) {
    return {Errc::invalid_argument, "NOTIFY_SOCKET is not a usable address: " + address_};
  }
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (address_[0] == '@') to.sun_path[0] = '\0';

  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {Errc::io, "socket: " + std::string(std::strerror(errno))};
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // Not waiting: a service manager that does not read must not hold up the program.
  const ssize_t sent = ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&to), length);
  const int error = errno;
  ::close(fd);
  if (sent < 0) return {Errc::io, "notify " + address_ + ": " + std::strerror(error)};
  return {};
}

}  // namespace dunlin
