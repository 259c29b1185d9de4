#include "cli/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace dunlin::cli {

Result<FolderLock> FolderLock::take(const std::string& folder) {
  FolderLock lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.fd_ < 0)
    return {errno == ENOENT ? Errc::not_found : Errc::io, folder + ": " + std::strerror(errno)};
  while (::flock(lock.fd_, LOCK_EX) != 0) {
    if (errno != EINTR) return {Errc::io, "locking " + folder + ": " + std::strerror(errno)};
  }
  return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace dunlin::cli
