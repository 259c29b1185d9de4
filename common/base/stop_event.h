#pragma once

#include <functional>
#include <stop_token>

namespace dunlin {

// Owns a file descriptor; -1 is none.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    reset(other.release());
    return *this;
  }

  int get() const { return fd_; }
  int release();
  void reset(int fd = -1);

 private:
  int fd_;
};

// Waits on file descriptors and on a stop request at once.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& stop);

  // Readable once stop was requested. -1 if the system had none left: pass it to poll(2) all the
  // same, with the timeout below.
  int fd() const { return fd_.get(); }
  int timeout_ms() const { return fd_.get() < 0 ? 100 : -1; }

 private:
  FileDescriptor fd_;  // outlives the callback that writes to it
  std::stop_callback<std::function<void()>> callback_;
};

}  // namespace dunlin
