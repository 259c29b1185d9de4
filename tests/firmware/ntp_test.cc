// A device without a clock that reaches nobody but a time server.
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/base/wall_clock.h"
#include "tests/firmware/firmware.h"
#include "tests/support/as_root.h"

namespace dunlin::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Of a query of DNS: this machine, as QEMU's network has it, whatever is asked for.
Bytes answer_dns(const Bytes& asked) {
  Bytes query = asked;
  std::size_t end = 12;
  while (end < query.size() && query[end] != 0) end += query[end] + 1U;
  end += 5;  // the last label, type and class
  if (query.size() < end) return {};
  query.resize(end);
  const bool address = query[end - 3] == 1;
  query[2] = 0x81, query[3] = 0x80;
  query[7] = address ? 1 : 0;
  std::fill(query.begin() + 8, query.begin() + 12, std::uint8_t{0});
  const Bytes record = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 2, 2};
  if (address) query.insert(query.end(), record.begin(), record.end());
  return query;
}

// Of RFC 5905: a server at a clock of its own.
Bytes answer_ntp(const Bytes& query) {
  if (query.size() < 48) return {};
  Bytes answer(48);
  answer[0] = static_cast<std::uint8_t>((query[0] & 0x38) | 4);
  answer[1] = 1;
  answer[2] = query[2];
  answer[3] = 0xec;
  std::memcpy(&answer[12], "LOCL", 4);
  const auto now = static_cast<std::uint64_t>(utc_now());
  const std::uint64_t seconds = now / 1'000'000 + 2'208'988'800;
  const std::uint64_t stamp = (seconds << 32) | (((now % 1'000'000) << 32) / 1'000'000);
  std::copy_n(&query[40], 8, &answer[24]);
  for (const std::size_t at : {16U, 32U, 40U})
    for (std::size_t i = 0; i < 8; ++i)
      answer[at + i] = static_cast<std::uint8_t>(stamp >> (56 - 8 * i));
  return answer;
}

int listen_at(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 ? fd : -1;
}

Bytes stay_silent(const Bytes&) {
  return {};
}

void answer(int fd, Bytes (*by)(const Bytes&)) {
  Bytes query(1500);
  sockaddr_in from{};
  socklen_t length = sizeof from;
  const ssize_t size =
      ::recvfrom(fd, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
  if (size < 0) return;
  query.resize(static_cast<std::size_t>(size));
  const Bytes said = by(query);
  if (said.empty()) return;
  (void)::sendto(fd, said.data(), said.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
}

// A thread in a network of its own, whose processes ask its servers for names and the time: the
// latter is deaf at first.
class Island {
 public:
  Island(const std::string& resolv_conf, const std::function<void()>& start, int deaf = 0)
      : deaf_(deaf) {
    thread_ = std::thread([&, resolv_conf, start] { live(resolv_conf, start); });
  }
  ~Island() {
    stop_ = true;
    thread_.join();
  }
  bool failed() const { return failed_; }
  int asked() const { return asked_; }

 private:
  void live(const std::string& resolv_conf, const std::function<void()>& start) {
    const int any = ::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0
                        ? ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
                        : -1;
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP;
    failed_ = any < 0 || ::ioctl(any, SIOCSIFFLAGS, &loopback) != 0 ||
              ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
              ::mount(resolv_conf.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0;
    pollfd polled[] = {{listen_at(53), POLLIN, 0}, {listen_at(123), POLLIN, 0}};
    failed_ = failed_ || polled[0].fd < 0 || polled[1].fd < 0;
    if (!failed_) start();
    while (!failed_ && !stop_) {
      if (::poll(polled, 2, 100) <= 0) continue;
      if (polled[0].revents != 0) answer(polled[0].fd, answer_dns);
      if (polled[1].revents != 0) {
        answer(polled[1].fd, ++asked_ > deaf_ ? answer_ntp : stay_silent);
      }
    }
    for (const int fd : {any, polled[0].fd, polled[1].fd}) ::close(fd);
  }

  const int deaf_;  // to so many questions
  std::atomic<bool> stop_ = false, failed_ = false;
  std::atomic<int> asked_ = 0;
  std::thread thread_;
};

class Ntp : public Firmware {
 protected:
  // Boots a device with these options, and waits until it dates its readings right.
  void set_clock(const std::vector<std::string>& options, int deaf) {
    DUNLIN_AS_ROOT("has a network to itself");
    begin("qemu-arm64");
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
    Result<void> started;
    Island island(
        folder_.write("resolv.conf", "nameserver 127.0.0.1\n"),
        [&] { started = machine_->start(options); }, deaf);
    const std::string newest =
        "SELECT coalesce((SELECT s.time_max FROM segments s JOIN logs l ON l.id = s.log "
        "WHERE l.track <> 0 ORDER BY s.log DESC, s.first DESC LIMIT 1), 0)";
    EXPECT_TRUE(eventually(
        [&] {
          const auto time = machine_->on_disk(folder_, newest);
          return island.failed() || (time.ok() && std::abs(utc_now() - *time) < 60'000'000);
        },
        kBoot))
        << explain();
    EXPECT_FALSE(island.failed());
    DUNLIN_ASSERT_OK(started);
    EXPECT_GT(island.asked(), deaf);
    EXPECT_TRUE(device().is_null());  // nobody else was there
    machine_->cut_power();
  }
};

TEST_F(Ntp, SetsTheClockOfADeviceWithoutOne) {
  set_clock({"--no-clock"}, 0);
}

TEST_F(Ntp, SetsAWrongClockOnceAServerAnswers) {
  const std::string tomorrow = utc_text(utc_now() + 86'400'000'000).substr(0, 19);
  set_clock({"--", "-rtc", "base=" + tomorrow}, 2);
}

}  // namespace
}  // namespace dunlin::test
