#include "cli/image/compress.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "cli/image/command.h"
#include "cli/image/files.h"

namespace dunlin::image {

namespace {

enum class Kind { plain, zstd, xz, unknown };

Kind kind_of(const std::string& path) {
  return path.ends_with(".img")       ? Kind::plain
         : path.ends_with(".img.zst") ? Kind::zstd
         : path.ends_with(".img.xz")  ? Kind::xz
                                      : Kind::unknown;
}

// A disk may hold a device's key or token. The tools hand the mode of what they read on.
Result<void> keep_private(const std::string& path) {
  if (::chmod(path.c_str(), 0600) != 0) return {Errc::io, path + ": " + std::strerror(errno)};
  return {};
}

}  // namespace

Result<void> check_name(const std::string& path) {
  if (kind_of(path) == Kind::unknown)
    return {Errc::invalid_argument, path + ": an image is NAME.img, NAME.img.zst or NAME.img.xz"};
  return {};
}

Result<void> compress(const std::string& disk, const std::string& out) {
  DUNLIN_TRY(check_name(out));
  DUNLIN_TRY(keep_private(disk));
  if (kind_of(out) == Kind::plain) {
    DUNLIN_TRY(run({{"cp", "--sparse=always", "--remove-destination", disk, out}}));
  } else if (kind_of(out) == Kind::zstd) {
    DUNLIN_TRY(run({{"zstd", "-q", "-f", "-12", "-T0", disk, "-o", out}}));
  } else {
    // One thread, so that the bytes do not depend on the machine.
    DUNLIN_TRY(run({{"xz", "-q", "-f", "-k", "-6", "-T1", disk}}));
    DUNLIN_TRY(run({{"mv", "-f", disk + ".xz", out}}));
  }
  return keep_private(out);
}

Result<void> decompress(const std::string& image, const std::string& disk) {
  DUNLIN_TRY(check_name(image));
  if (kind_of(image) == Kind::plain) {
    DUNLIN_TRY(run({{"cp", "--sparse=always", image, disk}}));
  } else if (kind_of(image) == Kind::zstd) {
    DUNLIN_TRY(run({{"zstd", "-q", "-f", "-d", "--sparse", image, "-o", disk}}));
  } else {
    DUNLIN_TRY(run({{"cp", image, disk + ".xz"}}));
    DUNLIN_TRY(run({{"xz", "-q", "-f", "-d", disk + ".xz"}}));
  }
  return keep_private(disk);
}

}  // namespace dunlin::image
