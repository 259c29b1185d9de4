#include "cli/image/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

extern char** environ;

namespace dunlin::image {

namespace {

constexpr std::size_t kSaidMax = 2000;

// Programs that are not part of every Debian, and where they come from.
const std::map<std::string, std::string> kPackages = {
    {"depmod", "kmod"},
    {"mmdebstrap", "mmdebstrap"},
    {"mksquashfs", "squashfs-tools"},
    {"mformat", "mtools"},
    {"mcopy", "mtools"},
    {"mmd", "mtools"},
    {"sfdisk", "fdisk"},
    {"mkimage", "u-boot-tools"},
    {"mkenvimage", "u-boot-tools"},
    {"mke2fs", "e2fsprogs"},
    {"readelf", "binutils"},
    {"zstd", "zstd"},
    {"xz", "xz-utils"},
    {"dpkg-deb", "dpkg"},
    {"qemu-system-aarch64", "qemu-system-arm"},
    {"qemu-system-arm", "qemu-system-arm"},
    {"qemu-system-x86_64", "qemu-system-x86"},
};

Result<std::string> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  const std::string folders =
      std::string(path == nullptr ? "" : path) + ":/usr/bin:/usr/sbin:/bin:/sbin";
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    const std::string file = folders.substr(at, end - at) + "/" + name;
    if (::access(file.c_str(), X_OK) == 0) return file;
    at = end + 1;
  }
  const auto package = kPackages.find(name);
  return {Errc::not_found,
          name + " is not installed" +
              (package == kPackages.end() ? "" : ": apt-get install " + package->second)};
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

// Closed in the program, but for what it gets as its standard streams.
File temporary() {
  File file(std::tmpfile(), &std::fclose);
  if (file) ::fcntl(::fileno(file.get()), F_SETFD, FD_CLOEXEC);
  return file;
}

std::string content(std::FILE* file) {
  std::string text;
  std::rewind(file);
  char part[65536];
  for (std::size_t size; (size = std::fread(part, 1, sizeof part, file)) > 0;)
    text.append(part, size);
  return text;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& each : texts) all.push_back(each.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment(const Command& command) {
  std::vector<std::string> env;
  for (char** each = environ; *each != nullptr; ++each) env.emplace_back(*each);
  env.insert(env.end(), command.env.begin(), command.env.end());
  return env;
}

// The exit code, 128 + N for signal N.
Result<int> spawn(const Command& command, const posix_spawn_file_actions_t& actions) {
  DUNLIN_ASSIGN(const std::string path, find_program(command.argv.at(0)));
  std::vector<std::string> argv = command.argv;
  std::vector<std::string> env = environment(command);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, pointers(argv).data(),
                                  pointers(env).data());
  if (error != 0) return {Errc::io, path + ": " + std::strerror(error)};
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<std::string> run(const Command& command) {
  const File in = temporary(), out = temporary(), said = temporary();
  if (!in || !out || !said) return {Errc::io, std::string("tmpfile: ") + std::strerror(errno)};
  std::fwrite(command.stdin_text.data(), 1, command.stdin_text.size(), in.get());
  std::rewind(in.get());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(in.get()), 0);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(out.get()), 1);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(said.get()), 2);
  const Result<int> code = spawn(command, actions);
  ::posix_spawn_file_actions_destroy(&actions);
  if (!code.ok()) return code.error();
  if (*code == 0) return content(out.get());
  std::string text = content(said.get());
  if (text.empty()) text = content(out.get());
  if (text.size() > kSaidMax) text.erase(0, text.size() - kSaidMax);
  while (text.ends_with('\n')) text.pop_back();
  return {Errc::io, command.argv[0] + " fails with code " + std::to_string(*code) + ": " + text};
}

Error become(const Command& command) {
  const Result<std::string> path = find_program(command.argv.at(0));
  if (!path.ok()) return path.error();
  std::vector<std::string> argv = command.argv;
  std::vector<std::string> env = environment(command);
  ::execve(path->c_str(), pointers(argv).data(), pointers(env).data());
  return {Errc::io, *path + ": " + std::strerror(errno)};
}

}  // namespace dunlin::image
