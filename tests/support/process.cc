#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#include "tests/support/eventually.h"

namespace dunlin::test {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::string_view name_of(std::string_view setting) {
  return setting.substr(0, setting.find('='));
}

// Our environment, with the given settings in place of those of the same name.
std::vector<std::string> environment(const std::vector<std::string>& changes) {
  std::vector<std::string> result = changes;
  for (char** entry = environ; *entry; ++entry) {
    bool replaced = false;
    for (const std::string& change : changes) replaced |= name_of(change) == name_of(*entry);
    if (!replaced) result.emplace_back(*entry);
  }
  return result;
}

// What the child starts with: its own descriptors 0 to 2 and default signals.
class SpawnSettings {
 public:
  explicit SpawnSettings(const ChildProcess::Options& options, int stdin_fd) {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (stdin_fd >= 0) {
      posix_spawn_file_actions_adddup2(&actions, stdin_fd, 0);
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    }
    const char* output = options.output_file.empty() ? "/dev/null" : options.output_file.c_str();
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);  // Paho ignores it in our process
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

}  // namespace

std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  std::istringstream folders((path ? std::string(path) : std::string()) + ":/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + name;
    if (!folder.empty() && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

std::string built_program(const std::string& name) {
  if (const char* folder = std::getenv("DUNLIN_TEST_PROGRAMS")) {
    const std::string other = std::string(folder) + "/" + name;
    if (access(other.c_str(), X_OK) == 0) return other;
  }
  return std::string(DUNLIN_BIN_DIR) + "/" + name;
}

Result<ChildProcess> ChildProcess::start(const Options& options) {
  const auto program = find_program(options.program);
  if (!program) return {Errc::not_found, "program " + options.program};
  int pipe_ends[2] = {-1, -1};
  if (options.stdin_pipe && pipe2(pipe_ends, O_CLOEXEC) != 0) {
    return {Errc::io, std::string("pipe: ") + std::strerror(errno)};
  }
  std::vector<std::string> args = options.args;
  args.insert(args.begin(), *program);
  std::vector<std::string> env = environment(options.env);

  const SpawnSettings settings(options, pipe_ends[0]);
  ChildProcess child;
  child.stdin_fd_ = pipe_ends[1];
  const int failure =
      posix_spawn(&child.pid_, program->c_str(), &settings.actions, &settings.attributes,
                  pointers(args).data(), pointers(env).data());
  if (pipe_ends[0] >= 0) close(pipe_ends[0]);
  if (failure != 0) {
    child.pid_ = -1;
    return {Errc::io, *program + ": " + std::strerror(failure)};
  }
  return child;
}

ChildProcess::~ChildProcess() {
  close_stdin();
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      stdin_fd_(std::exchange(other.stdin_fd_, -1)),
      exit_code_(other.exit_code_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(stdin_fd_, other.stdin_fd_);
  std::swap(exit_code_, other.exit_code_);
  return *this;
}

bool ChildProcess::running() {
  if (pid_ < 0 || exit_code_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

void ChildProcess::kill(int signal) {
  if (running()) ::kill(pid_, signal);
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds deadline) {
  eventually([this] { return !running(); }, deadline);
  return exit_code_;
}

bool ChildProcess::write_stdin(std::string_view text) {
  while (stdin_fd_ >= 0 && !text.empty()) {
    const ssize_t count = write(stdin_fd_, text.data(), text.size());
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return text.empty();
}

void ChildProcess::close_stdin() {
  if (stdin_fd_ >= 0) close(std::exchange(stdin_fd_, -1));
}

std::optional<int> run_program(const ChildProcess::Options& options,
                               std::chrono::milliseconds deadline) {
  Result<ChildProcess> child = ChildProcess::start(options);
  if (!child) return std::nullopt;
  return child->wait(deadline);
}

}  // namespace dunlin::test
