#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "tests/support/temp_dir.h"

namespace dunlin::test {

// A tree as in /sys, for inputs that read one.
class SysTree {
 public:
  std::string root() const { return folder_.path().string(); }
  std::string path(std::string_view name) const { return folder_.file(name); }

  void write(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    folder_.write(name, text);
  }
  void write(const std::string& folder, const std::map<std::string, std::string>& files) const {
    for (const auto& [name, text] : files) write(folder + "/" + name, text + "\n");
  }
  // A link to another place in the tree.
  void link(const std::string& name, const std::string& to) const {
    std::filesystem::create_directories(path(to));
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::filesystem::create_symlink(path(to), path(name));
  }
  // Whoever reads it waits until somebody opens it for writing.
  void make_pipe(const std::string& name) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    DUNLIN_CHECK(::mkfifo(path(name).c_str(), 0600) == 0);
  }

 private:
  TempDir folder_;
};

}  // namespace dunlin::test
