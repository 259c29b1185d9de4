#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/stop_event.h"
#include "dunlin/result.h"

namespace dunlin::agent {

// A program in a process group of its own, with pipes for what it prints and nothing to read. Of
// the agent it gets the environment (but for DUNLIN_* and what the service manager says) and no
// descriptor, no blocked signal. It is spawned, never forked: MQTT's library must not be.
//
// Whoever is left of the group when the program ends is killed, so nothing of it stays behind.
class ChildProgram {
 public:
  // `command` is the program, from PATH if it has no slash, and its arguments: no shell sees them.
  static Result<ChildProgram> start(const std::vector<std::string>& command);

  ChildProgram(ChildProgram&& other) noexcept;
  ChildProgram& operator=(ChildProgram&&) = delete;
  ~ChildProgram();  // kills it

  int out() const { return out_.get(); }  // neither blocks
  int err() const { return err_.get(); }
  // Readable once it has ended. -1 on kernels before 5.3: pass it to poll(2) all the same, with the
  // timeout below.
  int end() const { return end_.get(); }
  int poll_ms() const { return end_.get() < 0 ? 50 : -1; }

  // How it ended, if it has: "" for exit code 0, else in words.
  std::optional<std::string> ended();

  // Asks the group to end, kills it 100 ms later, and waits as long again; `timeout` for one that
  // the kernel does not let go of.
  Result<void> kill();

 private:
  ChildProgram(pid_t pid, FileDescriptor out, FileDescriptor err);

  pid_t pid_;  // -1 when there is none to wait for
  FileDescriptor out_, err_, end_;
};

}  // namespace dunlin::agent
