#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::test {

// The path of a program: as given when it holds a slash, else from PATH, /usr/sbin or /sbin.
std::optional<std::string> find_program(const std::string& name);

// The path of a program of this build; of the folder DUNLIN_TEST_PROGRAMS, if that is set and has
// it: an agent that was built for another processor.
std::string built_program(const std::string& name);

// A program that a test runs. The destructor kills it by its pid and reaps it.
class ChildProcess {
 public:
  struct Options {
    std::string program = {};            // as find_program() takes it
    std::vector<std::string> args = {};  // without the program's name
    std::vector<std::string> env = {};   // NAME=value, on top of our own environment
    std::string output_file = {};        // stdout and stderr, appended; "" = /dev/null
    bool stdin_pipe = false;             // else /dev/null
  };

  static Result<ChildProcess> start(const Options& options);

  ChildProcess() = default;
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  pid_t pid() const { return pid_; }
  bool running();  // reaps a child that has ended

  // Sends a signal; does nothing once the child has ended.
  void kill(int signal);
  // The exit code (128 + N for signal N), or nothing when the child still runs after `deadline`.
  std::optional<int> wait(std::chrono::milliseconds deadline);

  bool write_stdin(std::string_view text);
  void close_stdin();

 private:
  pid_t pid_ = -1;
  int stdin_fd_ = -1;
  std::optional<int> exit_code_;
};

// Runs a program to its end; its exit code, or nothing when it could not start or took too long.
std::optional<int> run_program(const ChildProcess::Options& options,
                               std::chrono::milliseconds deadline = std::chrono::seconds(30));

}  // namespace dunlin::test
