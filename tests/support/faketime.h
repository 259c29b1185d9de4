#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace dunlin::test {

// The library that the faketime program would preload; "" when it is not installed. The program
// itself would stand between us and the agent's process.
inline std::string faketime_library(const TempDir& folder) {
  const std::string output = folder.file("faketime.out");
  const auto code = run_program({.program = "faketime",
                                 .args = {"-m", "-f", "+0", "printenv", "LD_PRELOAD"},
                                 .output_file = output});
  std::ifstream file(output);
  std::string library;
  if (code == 0) std::getline(file, library);
  return library;
}

// The environment of a process without a clock battery. Only what tells the time of day is faked.
inline std::vector<std::string> clock_of_1970(const std::string& library) {
  return {"LD_PRELOAD=" + library, "TZ=UTC", "FAKETIME=@1970-01-02 00:00:00",
          "FAKETIME_DONT_FAKE_MONOTONIC=1"};
}

}  // namespace dunlin::test
