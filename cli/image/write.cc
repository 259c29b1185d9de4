#include "cli/image/write.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "cli/image/command.h"
#include "cli/image/compress.h"
#include "cli/image/disk.h"

namespace dunlin::image {

namespace {

constexpr std::size_t kChunk = 4 << 20;
// So often what was written reaches the disk itself: progress tells the truth.
constexpr std::uint64_t kSyncEvery = 32 << 20;

// A file or device that is open; whole chunks from where it stands.
class Opened {
 public:
  static Result<Opened> open(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd < 0 && errno == EBUSY) return {Errc::invalid_argument, path + " is in use"};
    if (fd < 0) return {Errc::io, path + ": " + std::strerror(errno)};
    return Opened(fd, path);
  }
  Opened(Opened&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(other.path_) {}
  Opened& operator=(Opened&&) = delete;
  ~Opened() {
    if (fd_ >= 0) ::close(fd_);
  }

  Result<void> read(char* to, std::size_t size) const {
    for (std::size_t done = 0; done < size;) {
      const ssize_t got = ::read(fd_, to + done, size - done);
      if (got < 0 && errno != EINTR) return failure();
      if (got == 0) return {Errc::truncated, path_ + " ends early"};
      done += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    }
    return {};
  }
  Result<void> write(const char* from, std::size_t size) const {
    for (std::size_t done = 0; done < size;) {
      const ssize_t put = ::write(fd_, from + done, size - done);
      if (put < 0 && errno != EINTR) return failure();
      done += static_cast<std::size_t>(std::max<ssize_t>(put, 0));
    }
    return {};
  }
  Result<void> sync() const { return checked(::fsync(fd_)); }
  // What is read from here on comes from the disk, not from what the kernel remembers of it.
  Result<void> forget() const { return checked(::ioctl(fd_, BLKFLSBUF, 0)); }
  Result<void> rewind() const { return checked(::lseek(fd_, 0, SEEK_SET) == 0 ? 0 : -1); }

 private:
  Opened(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  Error failure() const { return {Errc::io, path_ + ": " + std::strerror(errno)}; }
  Result<void> checked(int result) const {
    if (result != 0) return failure();
    return {};
  }

  int fd_;
  std::string path_;
};

// `step` gets every chunk of the source, and where it begins.
Result<void> for_chunks(
    const Opened& source, std::uint64_t size,
    const std::function<Result<void>(const std::vector<char>&, std::uint64_t)>& step) {
  DUNLIN_TRY(source.rewind());
  std::vector<char> chunk;
  for (std::uint64_t at = 0; at < size; at += chunk.size()) {
    chunk.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, size - at)));
    DUNLIN_TRY(source.read(chunk.data(), chunk.size()));
    DUNLIN_TRY(step(chunk, at));
  }
  return {};
}

}  // namespace

Result<Writing> Writing::prepare(const std::string& image, const std::string& path) {
  DUNLIN_ASSIGN(BlockDevice device, look_at_device(path));
  if (!device.uses.empty())
    return {Errc::invalid_argument, device.path + " is in use: " + device.uses.front()};
  if (device.read_only) return {Errc::invalid_argument, device.path + " is read-only"};
  DUNLIN_ASSIGN(WorkFolder work, WorkFolder::make());
  const std::string disk = work.file("disk");
  DUNLIN_TRY(decompress(image, disk));
  DUNLIN_TRY(read_layout(disk));
  DUNLIN_ASSIGN(const std::uint64_t size, size_of(disk));
  if (size > device.size)
    return {Errc::too_large, image + " needs " + std::to_string(size) + " bytes, " + device.path +
                                 " has " + std::to_string(device.size)};
  return Writing(std::move(device), std::move(work), size);
}

Result<void> Writing::write(const Progress& progress) const {
  DUNLIN_ASSIGN(const Opened from, Opened::open(disk(), O_RDONLY));
  // O_EXCL of a disk: fails while it is mounted or a part of something, and keeps it from that.
  DUNLIN_ASSIGN(const Opened to, Opened::open(device_.path, O_RDWR | O_EXCL));
  const auto put = [&](const std::vector<char>& chunk, std::uint64_t at) -> Result<void> {
    DUNLIN_TRY(to.write(chunk.data(), chunk.size()));
    const std::uint64_t done = at + chunk.size();
    if (done % kSyncEvery == 0 || done == size_) DUNLIN_TRY(to.sync());
    return progress("writing", done), Result<void>{};
  };
  std::vector<char> found;
  const auto compare = [&](const std::vector<char>& chunk, std::uint64_t at) -> Result<void> {
    found.resize(chunk.size());
    DUNLIN_TRY(to.read(found.data(), found.size()));
    const auto differs = std::mismatch(chunk.begin(), chunk.end(), found.begin()).first;
    if (differs == chunk.end()) return progress("verifying", at + chunk.size()), Result<void>{};
    const auto byte = at + static_cast<std::uint64_t>(differs - chunk.begin());
    return {Errc::corrupt,
            device_.path + " gives byte " + std::to_string(byte) + " back as another"};
  };
  DUNLIN_TRY(for_chunks(from, size_, put));
  DUNLIN_TRY(to.forget());
  DUNLIN_TRY(to.rewind());
  return for_chunks(from, size_, compare);
}

Result<void> Writing::expand() const {
  // The copy of a GPT belongs at the end of the disk; other tables have none.
  DUNLIN_ASSIGN(const std::string table, run({{"sfdisk", "--dump", device_.path}}));
  if (table.find("label: gpt") != std::string::npos)
    DUNLIN_TRY(run({{"sfdisk", "--quiet", "--relocate", "gpt-bak-std", device_.path}}));
  const std::string last = std::to_string(Layout::kCount);
  DUNLIN_TRY(run({.argv = {"sfdisk", "--quiet", "-N", last, device_.path}, .stdin_text = ", +\n"}));
  return {};
}

}  // namespace dunlin::image
