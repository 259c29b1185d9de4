#include "cli/image/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "common/base/sha256.h"
#include "dunlin/bytes.h"

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 1 << 20;

Error io(const std::string& path) {
  return {errno == ENOENT ? Errc::not_found : Errc::io, path + ": " + std::strerror(errno)};
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return io(path);
  std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (in.bad()) return io(path);
  return content;
}

Result<void> make_folder(const std::string& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) return {Errc::io, path + ": " + failed.message()};
  return {};
}

Result<void> write_file(const std::string& path, std::string_view content, unsigned mode) {
  DUNLIN_TRY(make_folder(fs::path(path).parent_path().string()));
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (!out || ::chmod(path.c_str(), mode) != 0) return io(path);
  return {};
}

Result<void> copy_file(const std::string& from, const std::string& to, unsigned mode) {
  DUNLIN_ASSIGN(const std::string content, read_file(from));
  return write_file(to, content, mode);
}

Result<std::uint64_t> size_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return io(path);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::string> hash_of(const std::string& path, Extent extent) {
  DUNLIN_ASSIGN(const std::uint64_t size, size_of(path));
  if (extent.offset > size || extent.size > size - extent.offset)
    return {Errc::truncated, path + " ends before byte " + std::to_string(extent.offset) + " + " +
                                 std::to_string(extent.size)};
  std::string content(static_cast<std::size_t>(extent.size), '\0');
  std::ifstream in(path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(extent.offset));
  if (!in.read(content.data(), static_cast<std::streamsize>(content.size()))) return io(path);
  return to_hex(sha256(as_bytes(content)));
}

Result<std::string> hash_of(const std::string& path) {
  DUNLIN_ASSIGN(const std::uint64_t size, size_of(path));
  return hash_of(path, {0, size});
}

Result<void> write_into(const std::string& path, std::uint64_t offset, const std::string& from) {
  std::ifstream in(from, std::ios::binary);
  std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
  if (!in) return io(from);
  if (!out) return io(path);
  std::vector<char> block(kBlock);
  for (std::uint64_t at = offset; in; at += block.size()) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    const auto end = block.begin() + in.gcount();
    if (std::all_of(block.begin(), end, [](char each) { return each == 0; })) continue;
    out.seekp(static_cast<std::streamoff>(at));
    out.write(block.data(), in.gcount());
  }
  out.close();
  if (!out) return io(path);
  return {};
}

Result<WorkFolder> WorkFolder::make() {
  std::string name = (fs::temp_directory_path() / "dunlin-image-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return io(name);
  return WorkFolder(name);
}

WorkFolder::~WorkFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace dunlin::image
