#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dunlin/result.h"

namespace dunlin::image {

// Files as the image build handles them: whole, with the path in every error. Folders on the way
// are made.
Result<std::string> read_file(const std::string& path);
Result<void> write_file(const std::string& path, std::string_view content, unsigned mode = 0644);
Result<void> copy_file(const std::string& from, const std::string& to, unsigned mode = 0644);
Result<void> make_folder(const std::string& path);

// SHA-256 in hex of `size` bytes from `offset` on; `truncated` when the file ends before.
struct Extent {
  std::uint64_t offset = 0, size = 0;
};
Result<std::string> hash_of(const std::string& path, Extent extent);
Result<std::string> hash_of(const std::string& path);
Result<std::uint64_t> size_of(const std::string& path);

// Writes the content of a file into another one, from `offset` on; zeros stay holes.
Result<void> write_into(const std::string& path, std::uint64_t offset, const std::string& from);

// A folder of its own that is removed with everything in it.
class WorkFolder {
 public:
  static Result<WorkFolder> make();
  WorkFolder(WorkFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  WorkFolder& operator=(WorkFolder&& other) noexcept {
    path_.swap(other.path_);
    return *this;
  }
  ~WorkFolder();
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  explicit WorkFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace dunlin::image
