#include "cli/image/stage.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <sstream>

#include "cli/image/command.h"
#include "cli/image/files.h"

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

// What stands in brackets on the lines of readelf that hold `word`: "[libc.so.6]".
std::vector<std::string> bracketed(const std::string& text, const std::string& word) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t open = line.find('['), close = line.rfind(']');
    if (line.find(word) == std::string::npos || open == std::string::npos || close < open) continue;
    found.push_back(line.substr(open + 1, close - open - 1));
  }
  return found;
}

bool runs_alone(const std::string& path) {
  return (fs::status(path).permissions() & fs::perms::owner_exec) != fs::perms::none;
}

}  // namespace

Result<void> Stage::make_folders(const std::vector<std::string>& mount_points) {
  for (const char* each : {"usr/bin", "usr/lib"}) DUNLIN_TRY(make_folder(path(each)));
  fs::create_symlink("bin", path("usr/sbin"));
  for (const char* each : {"bin", "sbin"}) fs::create_symlink("usr/bin", path(each));
  for (const char* each : {"lib", "lib64"}) fs::create_symlink("usr/lib", path(each));
  for (const std::string& each : mount_points) DUNLIN_TRY(make_folder(path(each)));
  return {};
}

Result<void> Stage::take(const std::string& file, const std::string& to, unsigned mode) {
  const Package* owner = packages_.owner(file);
  if (owner == nullptr)
    return {Errc::not_found, file + " is of no package, so that nobody can tell its licence"};
  taken_[owner->name] = owner->version;
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0)
    newest_ = std::max<std::int64_t>(newest_, status.st_mtime);
  return copy_file(file, path(to), mode);
}

Result<void> Stage::add_program(const std::string& program) {
  DUNLIN_ASSIGN(const std::string file, packages_.find(program));
  DUNLIN_TRY(take(file, "usr/bin/" + fs::path(program).filename().string(), 0755));
  return add_libraries(file);
}

Result<void> Stage::add_own_program(const std::string& file) {
  DUNLIN_TRY(copy_file(file, path("usr/bin/" + fs::path(file).filename().string()), 0755));
  return add_libraries(file);
}

Result<void> Stage::add_libraries(const std::string& file) {
  DUNLIN_ASSIGN(const std::string described, run({{"readelf", "-W", "-l", "-d", file}}));
  std::vector<std::string> names = bracketed(described, "(NEEDED)");
  for (const std::string& interpreter : bracketed(described, "program interpreter"))
    names.push_back(fs::path(interpreter.substr(interpreter.find('/'))).filename().string());
  for (const std::string& name : names) {
    if (fs::exists(path("usr/lib/" + name))) continue;
    DUNLIN_ASSIGN(const std::string library, packages_.find_library(name));
    DUNLIN_TRY(take(library, "usr/lib/" + name, name.starts_with("ld-") ? 0755 : 0644));
    DUNLIN_TRY(add_libraries(library));
  }
  return {};
}

Result<void> Stage::add_matching(const std::string& pattern) {
  const fs::path folder = fs::path(pattern).parent_path();
  DUNLIN_ASSIGN(const std::string found, packages_.find(folder.string()));
  bool any = false;
  for (const auto& each : fs::directory_iterator(found)) {
    const std::string name = (folder / each.path().filename()).string();
    if (::fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME) != 0) continue;
    DUNLIN_TRY(add_file(name, name));
    any = true;
  }
  if (!any) return {Errc::not_found, "no package has " + pattern};
  return {};
}

Result<void> Stage::add_files(const std::string& name) {
  if (name.find('*') != std::string::npos) return add_matching(name);
  DUNLIN_ASSIGN(const std::string found, packages_.find(name));
  if (!fs::is_directory(found)) return take(found, name, 0644);
  for (const auto& each : fs::recursive_directory_iterator(found)) {
    if (each.is_directory()) continue;
    const std::string below = each.path().lexically_relative(found).string();
    DUNLIN_ASSIGN(const std::string file, packages_.find(name + "/" + below));
    DUNLIN_TRY(take(file, name + "/" + below, 0644));
  }
  return {};
}

Result<void> Stage::add_file(const std::string& name, const std::string& to) {
  DUNLIN_ASSIGN(const std::string file, packages_.find(name));
  return take(file, to, 0644);
}

Result<void> Stage::add_modules(const std::string& release, const std::vector<std::string>& files) {
  const std::string folder = "lib/modules/" + release;
  std::vector<std::string> all = files;
  for (const char* each : {"modules.order", "modules.builtin", "modules.builtin.modinfo"})
    all.push_back(each);
  for (const std::string& each : all) {
    DUNLIN_ASSIGN(const std::string file, packages_.find(folder + "/" + each));
    DUNLIN_TRY(take(file, "usr/" + folder + "/" + each, 0644));
  }
  DUNLIN_TRY(run({{"depmod", "-b", folder_, release}}));
  return {};
}

Result<void> Stage::add_applets(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string link = path("usr/bin/" + name);
    if (!fs::exists(link)) fs::create_symlink("busybox", link);
  }
  return {};
}

Result<void> Stage::add_tree(const std::string& host_folder) {
  for (const auto& each : fs::recursive_directory_iterator(host_folder)) {
    if (each.is_directory()) continue;
    const std::string to = path(each.path().lexically_relative(host_folder).string());
    DUNLIN_TRY(copy_file(each.path().string(), to, runs_alone(each.path().string()) ? 0755 : 0644));
  }
  return {};
}

Result<void> Stage::set_times(std::int64_t time) const {
  const auto seconds = static_cast<std::time_t>(time);  // has 32 bits on some processors
  const timespec both[2] = {{seconds, 0}, {seconds, 0}};
  for (const auto& each : fs::recursive_directory_iterator(folder_))
    if (::utimensat(AT_FDCWD, each.path().c_str(), both, AT_SYMLINK_NOFOLLOW) != 0)
      return {Errc::io, each.path().string() + ": " + std::strerror(errno)};
  return {};
}

}  // namespace dunlin::image
