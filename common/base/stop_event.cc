#include "common/base/stop_event.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace dunlin {

int FileDescriptor::release() {
  return std::exchange(fd_, -1);
}

void FileDescriptor::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

StopEvent::StopEvent(const std::stop_token& stop)
    : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), callback_(stop, [fd = fd_.get()] {
        const std::uint64_t one = 1;
        if (write(fd, &one, sizeof one) < 0) return;  // only if there is no event: poll times out
      }) {}

}  // namespace dunlin
