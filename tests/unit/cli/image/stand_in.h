#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/temp_dir.h"

namespace dunlin::test {

// A program of another's name, found before it while this lives: a shell script.
class StandIn {
 public:
  StandIn(const std::string& name, const std::string& script) : before_(std::getenv("PATH")) {
    const std::string file = folder_.write(name, "#!/bin/sh\n" + script);
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    ::setenv("PATH", (folder_.path().string() + ":" + before_).c_str(), 1);
  }
  ~StandIn() { ::setenv("PATH", before_.c_str(), 1); }
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

 private:
  TempDir folder_;
  std::string before_;
};

}  // namespace dunlin::test
