#include "common/runtime/health.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace dunlin::runtime {

namespace {

constexpr const char* kName = "health.sock";
constexpr timeval kPatience{5, 0};

Error failed(Errc code, const std::string& data_dir) {
  return {code, data_dir + "/" + kName + ": " + std::strerror(errno)};
}

FileDescriptor open_folder(const std::string& data_dir) {
  return FileDescriptor(::open(data_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// Paths may be longer than addresses: the folder goes by its descriptor.
sockaddr_un address_in(const FileDescriptor& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder.get(),
                kName);
  return address;
}

}  // namespace

Result<HealthSocket> HealthSocket::listen(const std::string& data_dir) {
  FileDescriptor folder = open_folder(data_dir);
  FileDescriptor listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = address_in(folder);
  if (::unlinkat(folder.get(), kName, 0) != 0 && errno != ENOENT) return failed(Errc::io, data_dir);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 8) != 0)
    return failed(Errc::io, data_dir);
  return HealthSocket(std::move(folder), std::move(listener));
}

HealthSocket::~HealthSocket() {
  if (folder_.get() >= 0) ::unlinkat(folder_.get(), kName, 0);
}

void HealthSocket::answer(NodeView& node) const {
  const FileDescriptor asker(::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (asker.get() < 0) return;
  (void)node.revoked({});  // only a loop that runs answers
  const char bits[] = {node.disk_state().writable, node.connected()};
  (void)::send(asker.get(), bits, sizeof bits, MSG_NOSIGNAL);  // who left wants no answer
}

Result<Health> ask_health(const std::string& data_dir) {
  const FileDescriptor folder = open_folder(data_dir);
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  const sockaddr_un address = address_in(folder);
  char bits[2] = {};
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed(errno == EAGAIN ? Errc::timeout : Errc::closed, data_dir);
  const ssize_t size = ::recv(socket.get(), bits, sizeof bits, 0);
  if (size < 0) return failed(errno == EAGAIN ? Errc::timeout : Errc::closed, data_dir);
  if (size != sizeof bits) return {Errc::closed, data_dir + "/" + kName + ": ended"};
  return Health{bits[0] != 0, bits[1] != 0};
}

}  // namespace dunlin::runtime
