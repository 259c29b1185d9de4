#include "common/security/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace dunlin::security {

namespace {

constexpr std::size_t kBytesMax = 16 * 1024;

Error io_error(const std::string& what, const std::string& path) {
  return {Errc::io, what + " " + path + ": " + std::strerror(errno)};
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> fill(const FileDescriptor& fd, std::string_view text, const std::string& path) {
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(fd.get()) != 0)
    return io_error("cannot write", path);
  return {};
}

Result<void> flush_folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const FileDescriptor dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.get() < 0 || ::fsync(dir.get()) != 0) return io_error("cannot flush", folder);
  return {};
}

}  // namespace

Result<std::string> read_private_file(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0 && errno == ENOENT) return {Errc::not_found, path + ": no such file"};
  if (fd.get() < 0) return io_error("cannot open", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return io_error("cannot inspect", path);
  if ((info.st_mode & 077) != 0) {
    return {Errc::io, path + " may be read by others; it must have mode 0600"};
  }
  std::string text(kBytesMax, '\0');
  const ssize_t n = ::read(fd.get(), text.data(), text.size());
  if (n < 0) return io_error("cannot read", path);
  text.resize(static_cast<std::size_t>(n));
  return text;
}

Result<void> write_private_file(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const FileDescriptor fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) return io_error("cannot create", fresh);
  DUNLIN_TRY(fill(fd, text, fresh));
  if (::rename(fresh.c_str(), path.c_str()) != 0) return io_error("cannot rename to", path);
  return flush_folder_of(path);
}

Result<void> create_private_file(const std::string& path, std::string_view text) {
  std::string fresh = path + ".XXXXXX";                          // of each who tries
  const FileDescriptor fd(::mkostemp(fresh.data(), O_CLOEXEC));  // 0600
  if (fd.get() < 0) return io_error("cannot create", fresh);
  Result<void> done = fill(fd, text, fresh);
  if (done.ok() && ::link(fresh.c_str(), path.c_str()) != 0)
    done = errno == EEXIST ? Error{Errc::exists, path} : io_error("cannot create", path);
  ::unlink(fresh.c_str());
  DUNLIN_TRY(done);
  return flush_folder_of(path);
}

}  // namespace dunlin::security
