// dunlin-supervisor: starts one program as an unprivileged user, starts it again when it ends or is
// silent, and feeds the watchdog of the machine meanwhile. It speaks the part of systemd's notify
// protocol that common/runtime/service_manager.h uses, so that the program is the same here and
// under systemd.
//
// A program that hangs is killed and restarted; a system in which it neither gets ready nor on
// (patience.h) is no longer fed, so that the hardware resets it. A mistake in the configuration
// (exit code 2) does not end by a reset: it is only tried again, slowly.
#include <fcntl.h>
#include <grp.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "firmware-profiles/base/patience.h"

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kUsage =
    "usage: dunlin-supervisor USER PROGRAM [ARGUMENT...]\n"
    "DUNLIN_SILENCE_MAX: seconds (60); DUNLIN_WATCHDOG: the device (/dev/watchdog);\n"
    "DUNLIN_NOTIFY: the socket (/run/dunlin/notify)\n";
constexpr seconds kResetAfter{60};  // by the hardware, if it can count that far
constexpr seconds kBackOffMax{60};  // between two starts
constexpr minutes kStartMax{10};    // a damaged log is salvaged first
constexpr seconds kStopMax{30};
constexpr int kConfigurationMistake = 2;

template <typename... Args>
void say(const char* format, Args... args) {
  std::fprintf(stderr, "supervisor: ");
  std::fprintf(stderr, format, args...);
  std::fputc('\n', stderr);
}

// The machine's watchdog; a machine without one is not fed.
class Watchdog {
 public:
  explicit Watchdog(const char* device) : fd_(::open(device, O_WRONLY | O_CLOEXEC)) {
    if (fd_ < 0) say("%s: %s: a hung system stays hung", device, std::strerror(errno));
    if (fd_ < 0) return;
    int timeout = int(kResetAfter.count());
    // Hardware that cannot count so far keeps what it has.
    (void)::ioctl(fd_, WDIOC_SETTIMEOUT, &timeout);
    if (::ioctl(fd_, WDIOC_GETTIMEOUT, &timeout) == 0 && timeout > 0)
      interval_ = seconds(timeout) / 3.0;
  }
  bool there() const { return fd_ >= 0; }
  Clock::time_point due() const {
    return fed_ + std::chrono::duration_cast<Clock::duration>(interval_);
  }
  void feed(Clock::time_point now) {
    fed_ = now;
    (void)::ioctl(fd_, WDIOC_KEEPALIVE, 0);
  }

 private:
  int fd_;
  std::chrono::duration<double> interval_ = kResetAfter / 3.0;
  Clock::time_point fed_{};
};

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};

// In the child: no way back to privileges, no core dumps.
[[noreturn]] void become(const User& user, char** command) {
  const rlimit none{0, 0};
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_UNBLOCK, &all, nullptr);
  if (::setsid() < 0 || ::setrlimit(RLIMIT_CORE, &none) != 0 ||
      ::initgroups(user.name.c_str(), user.gid) != 0 ||
      ::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      // Nobody would look after it, and the next one could not open the log.
      ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
    say("cannot become %s: %s", user.name.c_str(), std::strerror(errno));
    ::_exit(126);
  }
  ::execv(command[0], command);
  say("%s: %s", command[0], std::strerror(errno));
  ::_exit(127);
}

class Supervisor {
 public:
  Supervisor(User user, char** command, seconds silence_max, std::string address,
             const char* watchdog)
      : user_(std::move(user)),
        command_(command),
        silence_max_(silence_max),
        address_(std::move(address)),
        watchdog_(watchdog) {}

  int run() {
    sigset_t set;
    sigemptyset(&set);
    for (const int each : {SIGCHLD, SIGTERM, SIGINT}) sigaddset(&set, each);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals_ < 0 || !listen()) {
      say("cannot listen at %s: %s", address_.c_str(), std::strerror(errno));
      return 1;
    }
    ::setenv("NOTIFY_SOCKET", address_.c_str(), 1);
    ::setenv("WATCHDOG_USEC", std::to_string(silence_max_.count() * 1'000'000).c_str(), 1);
    while (!stopping_ || pid_ > 0) {
      const Clock::time_point now = Clock::now();
      if (!stopping_ && pid_ <= 0 && now >= start_at_) start(now);
      if (pid_ > 0 && now >= deadline_) kill_it();
      if (watchdog_.there() && now >= watchdog_.due() && patience_.lasts(now)) watchdog_.feed(now);
      wait(now);
    }
    return 0;
  }

 private:
  bool listen() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (address_.size() >= sizeof address.sun_path) return errno = ENAMETOOLONG, false;
    std::strcpy(address.sun_path, address_.c_str());
    ::unlink(address.sun_path);
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return socket_ >= 0 &&
           ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
           ::chown(address.sun_path, user_.uid, user_.gid) == 0 &&
           ::chmod(address.sun_path, 0600) == 0;
  }

  void start(Clock::time_point now) {
    ready_ = false;
    deadline_ = now + kStartMax;
    pid_ = ::fork();
    if (pid_ == 0) become(user_, command_);
    if (pid_ < 0) start_at_ = now + kBackOffMax;
  }

  // A second time when it is there still.
  void kill_it() {
    say("%s says nothing: it is killed", command_[0]);
    ::kill(pid_, SIGKILL);
    deadline_ = Clock::now() + kStopMax;
    patience_.is_down(Clock::now());
  }

  void wait(Clock::time_point now) {
    Clock::time_point next = pid_ > 0 ? deadline_ : start_at_;
    if (watchdog_.there() && patience_.lasts(now)) next = std::min(next, watchdog_.due());
    const auto pause = std::chrono::ceil<milliseconds>(next - now).count();
    pollfd polled[] = {{signals_, POLLIN, 0}, {socket_, POLLIN, 0}};
    ::poll(polled, 2, int(std::clamp<long long>(pause, 0, 600'000)));
    char text[4096];
    for (ssize_t size; (size = ::recv(socket_, text, sizeof text, 0)) > 0;)
      hear({text, std::size_t(size)});
    for (signalfd_siginfo info; ::read(signals_, &info, sizeof info) == sizeof info;) {
      if (info.ssi_signo == SIGCHLD)
        reap();
      else
        stop();
    }
  }

  void hear(std::string_view message) {
    const Clock::time_point now = Clock::now();
    while (!message.empty()) {
      const std::string_view line = message.substr(0, message.find('\n'));
      message.remove_prefix(std::min(line.size() + 1, message.size()));
      if (line == "READY=1") {
        ready_ = true;
        ready_at_ = now;
        patience_.is_ready();
        deadline_ = now + silence_max_;
      } else if (line == "RELOADING=1") {
        ready_ = false;
        deadline_ = now + kStartMax;
      } else if (line == "WATCHDOG=1" && ready_) {
        deadline_ = now + silence_max_;
      } else if (line.starts_with("EXTEND_TIMEOUT_USEC=")) {
        extend(line.substr(line.find('=') + 1), now);
      }
    }
  }

  void extend(std::string_view microseconds, Clock::time_point now) {
    long long value = 0;
    std::from_chars(microseconds.data(), microseconds.data() + microseconds.size(), value);
    const auto longer = std::chrono::microseconds(std::clamp<long long>(value, 0, 600'000'000));
    deadline_ = std::max(deadline_, now + longer);
    patience_.gets_on(now + longer);
  }

  void reap() {
    int status = 0;
    for (pid_t ended; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended != pid_) continue;
      pid_ = 0;
      came_to_an_end(status);
    }
  }

  void came_to_an_end(int status) {
    const Clock::time_point now = Clock::now();
    const bool mistake = WIFEXITED(status) && WEXITSTATUS(status) == kConfigurationMistake;
    if (ready_ && now - ready_at_ > kBackOffMax) back_off_ = seconds(1);
    if (mistake) back_off_ = kBackOffMax;
    if (mistake)
      patience_.is_ready();  // for what can be done here
    else
      patience_.is_down(now);
    const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    start_at_ = well ? now : now + back_off_;
    if (!stopping_ && WIFSIGNALED(status))
      say("%s ended by signal %d; again in %d s", command_[0], WTERMSIG(status),
          int(back_off_.count()));
    else if (!stopping_ && !well)
      say("%s ended with code %d; again in %d s", command_[0], WEXITSTATUS(status),
          int(back_off_.count()));
    if (!well) back_off_ = std::min(back_off_ * 2, kBackOffMax);
  }

  void stop() {
    stopping_ = true;
    deadline_ = Clock::now() + kStopMax;
    if (pid_ > 0) ::kill(pid_, SIGTERM);
  }

  const User user_;
  char** const command_;
  const seconds silence_max_;
  const std::string address_;
  Watchdog watchdog_;
  int signals_ = -1;
  int socket_ = -1;
  pid_t pid_ = 0;
  bool ready_ = false;
  bool stopping_ = false;
  seconds back_off_{1};
  Clock::time_point start_at_{};
  Clock::time_point ready_at_{};
  Clock::time_point deadline_{};  // of what the program has to say next
  dunlin::Patience patience_{Clock::now()};
};

const char* environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

}  // namespace

int main(int argc, char** argv) {
  const passwd* entry = argc < 3 ? nullptr : ::getpwnam(argv[1]);
  const int silence_max = std::atoi(environment("DUNLIN_SILENCE_MAX", "60"));
  if (entry == nullptr || silence_max < 1) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  Supervisor supervisor({entry->pw_uid, entry->pw_gid, argv[1]}, argv + 2, seconds(silence_max),
                        environment("DUNLIN_NOTIFY", "/run/dunlin/notify"),
                        environment("DUNLIN_WATCHDOG", "/dev/watchdog"));
  return supervisor.run();
}
