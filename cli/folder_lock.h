#pragma once

#include <string>

#include "dunlin/result.h"

namespace dunlin::cli {

// One process at a time in a folder (flock(2)); goes with the object, or with the process.
class FolderLock {
 public:
  // Waits. `not_found` when there is no such folder.
  static Result<FolderLock> take(const std::string& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace dunlin::cli
