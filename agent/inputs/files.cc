#include "agent/inputs/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "common/base/stop_event.h"

namespace dunlin::agent {

std::string last_os_error() {
  return std::generic_category().message(errno);
}

Result<std::string> read_small_file(const std::string& path) {
  constexpr std::size_t kBytesMax = 1 << 20;
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    return {errno == ENOENT ? Errc::not_found : Errc::io, path + ": " + last_os_error()};
  }
  std::string out;
  char buffer[4096];
  while (out.size() < kBytesMax) {
    const ssize_t n = read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return {Errc::io, path + ": " + last_os_error()};
    if (n == 0) break;
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return out;
}

}  // namespace dunlin::agent
