#include "agent/inputs/child_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/inputs/files.h"

namespace dunlin::agent {

namespace {

constexpr int kEndsWithinMs = 100;  // of a signal

struct Pipe {
  FileDescriptor out, in;

  static Result<Pipe> make() {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) return Error{Errc::io, "a pipe: " + last_os_error()};
    Pipe pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return pipe;
  }
};

// Secrets may stand in overrides, and whoever knows the socket could speak for the agent.
bool is_ours(std::string_view variable) {
  return variable.starts_with("DUNLIN_") || variable.starts_with("NOTIFY_SOCKET=") ||
         variable.starts_with("WATCHDOG_");
}

std::vector<char*> environment() {
  std::vector<char*> out;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!is_ours(*variable)) out.push_back(*variable);
  }
  out.push_back(nullptr);
  return out;
}

// What posix_spawn is told; its functions fail only without memory.
struct Spawning {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};

  Spawning() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  Spawning(const Spawning&) = delete;
  Spawning& operator=(const Spawning&) = delete;
  ~Spawning() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

std::string in_words(const siginfo_t& info) {
  if (info.si_code != CLD_EXITED) return "killed by signal " + std::to_string(info.si_status);
  return info.si_status == 0 ? "" : "exit code " + std::to_string(info.si_status);
}

}  // namespace

ChildProgram::ChildProgram(pid_t pid, FileDescriptor out, FileDescriptor err)
    : pid_(pid),
      out_(std::move(out)),
      err_(std::move(err)),
      end_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}

ChildProgram::ChildProgram(ChildProgram&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      end_(std::move(other.end_)) {}

ChildProgram::~ChildProgram() {
  (void)kill();
}

Result<ChildProgram> ChildProgram::start(const std::vector<std::string>& command) {
  DUNLIN_ASSIGN(Pipe out, Pipe::make());
  DUNLIN_ASSIGN(Pipe err, Pipe::make());
  Spawning spawning;
  auto* files = &spawning.files;
  posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(files, out.in.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(files, err.in.get(), STDERR_FILENO);
  // Libraries open sockets that are not closed on exec.
  posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);

  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  auto* attributes = &spawning.attributes;
  posix_spawnattr_setflags(attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(attributes, 0);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &all);

  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int error =
      posix_spawnp(&pid, argv[0], files, attributes, argv.data(), environment().data());
  if (error != 0) {
    return Error{error == ENOENT ? Errc::not_found : Errc::io,
                 command[0] + ": " + std::generic_category().message(error)};
  }
  return ChildProgram(pid, std::move(out.out), std::move(err.out));
}

std::optional<std::string> ChildProgram::ended() {
  if (pid_ < 0) return "gone";
  siginfo_t info{};
  const auto id = static_cast<id_t>(pid_);
  if (waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0) {
    return std::nullopt;
  }
  // Until it is reaped nobody else can have its number, so the group is its own.
  ::kill(-pid_, SIGKILL);
  waitid(P_PID, id, &info, WEXITED);
  pid_ = -1;
  return in_words(info);
}

Result<void> ChildProgram::kill() {
  for (const int signal : {SIGTERM, SIGKILL}) {
    if (pid_ >= 0) ::kill(-pid_, signal);
    for (int waited_ms = 0; pid_ >= 0 && waited_ms < kEndsWithinMs && !ended(); ++waited_ms) {
      pollfd wait{end_.get(), POLLIN, 0};
      poll(&wait, 1, 1);
    }
  }
  if (pid_ < 0) return {};
  return {Errc::timeout, "the kernel does not let go of a program that was killed"};
}

}  // namespace dunlin::agent
