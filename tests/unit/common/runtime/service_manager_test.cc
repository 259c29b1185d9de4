#include "common/runtime/service_manager.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

namespace dunlin {
namespace {

// A service manager's end of $NOTIFY_SOCKET.
class Listener {
 public:
  explicit Listener(const std::string& address) : address_(address) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, address.data(), address.size());
    if (address[0] == '@') at.sun_path[0] = '\0';
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    bound_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&at), length) == 0;
  }
  ~Listener() {
    ::close(fd_);
    if (address_[0] == '/') ::unlink(address_.c_str());
  }
  bool bound() const { return bound_; }
  std::string next() const {
    pollfd entry{fd_, POLLIN, 0};
    if (::poll(&entry, 1, 5'000) != 1) return "(nothing came)";
    std::string text(256, '\0');
    const ssize_t size = ::recv(fd_, text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }

 private:
  std::string address_;
  int fd_ = -1;
  bool bound_ = false;
};

TEST(ServiceManager, SpeaksToAPathAndToAnAbstractSocket) {
  const std::string unique = "dunlin-notify-" + std::to_string(::getpid());
  for (const std::string& address : {testing::TempDir() + unique, "@" + unique}) {
    const Listener listener(address);
    ASSERT_TRUE(listener.bound()) << address;
    const ServiceManager manager(address);
    EXPECT_TRUE(manager.ready().ok());
    EXPECT_TRUE(manager.status("connected").ok());
    EXPECT_TRUE(manager.watchdog().ok());
    EXPECT_TRUE(manager.stopping().ok());
    EXPECT_EQ(listener.next(), "READY=1");
    EXPECT_EQ(listener.next(), "STATUS=connected");
    EXPECT_EQ(listener.next(), "WATCHDOG=1");
    EXPECT_EQ(listener.next(), "STOPPING=1");
  }
}

// systemd drops what says of a reload that it began in another time.
TEST(ServiceManager, TellsOfAReload) {
  const std::string address = "@dunlin-reload-" + std::to_string(::getpid());
  const Listener listener(address);
  const ServiceManager manager(address);
  const auto monotonic = [] {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  };
  const std::int64_t before = monotonic();
  EXPECT_TRUE(manager.reloading().ok());
  const std::string said = listener.next(), head = "RELOADING=1\nMONOTONIC_USEC=";
  ASSERT_TRUE(said.starts_with(head)) << said;
  const std::int64_t at = std::stoll(said.substr(head.size()));
  EXPECT_TRUE(before <= at && at <= monotonic()) << at;
  EXPECT_TRUE(manager.progress().ok());
  EXPECT_EQ(listener.next(), "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000");
}

TEST(ServiceManager, WithoutOneNothingHappens) {
  EXPECT_TRUE(ServiceManager("").ready().ok());
}

TEST(ServiceManager, ReportsAnAddressThatCannotBe) {
  EXPECT_EQ(ServiceManager("relative").ready().error().code, Errc::invalid_argument);
  EXPECT_EQ(ServiceManager("/" + std::string(200, 'x')).ready().error().code,
            Errc::invalid_argument);
  EXPECT_EQ(ServiceManager("/nowhere/at/all").ready().error().code, Errc::io);
}

TEST(ServiceManager, ReadsTheEnvironment) {
  const std::string address = "@dunlin-environment-" + std::to_string(::getpid());
  const Listener listener(address);
  ::setenv("NOTIFY_SOCKET", address.c_str(), 1);
  EXPECT_TRUE(ServiceManager::from_environment().ready().ok());
  EXPECT_EQ(listener.next(), "READY=1");
  ::unsetenv("NOTIFY_SOCKET");

  EXPECT_FALSE(ServiceManager::watchdog_interval());
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(ServiceManager::watchdog_interval(), std::chrono::seconds(30));
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(ServiceManager::watchdog_interval(), std::chrono::seconds(30));
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_FALSE(ServiceManager::watchdog_interval());
  ::setenv("WATCHDOG_USEC", "soon", 1);
  ::unsetenv("WATCHDOG_PID");
  EXPECT_FALSE(ServiceManager::watchdog_interval());
  ::unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace dunlin
