#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/base/stop_event.h"

namespace dunlin::test {

// A serial line without a wire: whoever opens path() speaks with the other end, which is here.
class Pty {
 public:
  Pty() : end_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    char name[64];
    DUNLIN_CHECK(end_.get() >= 0 && ::grantpt(end_.get()) == 0 && ::unlockpt(end_.get()) == 0 &&
                 ::ptsname_r(end_.get(), name, sizeof name) == 0);
    path_ = name;
    termios raw{};
    ::tcgetattr(end_.get(), &raw);
    ::cfmakeraw(&raw);  // or what is said is echoed until somebody else says so
    ::tcsetattr(end_.get(), TCSANOW, &raw);
  }

  const std::string& path() const { return path_; }
  int fd() const { return end_.get(); }
  bool say(std::string_view text) const {
    return ::write(end_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }
  // At which whoever opened it reads.
  speed_t speed() const {
    termios settings{};
    return ::tcgetattr(end_.get(), &settings) == 0 ? ::cfgetispeed(&settings) : B0;
  }
  void unplug() { end_.reset(); }

 private:
  FileDescriptor end_;
  std::string path_;
};

}  // namespace dunlin::test
