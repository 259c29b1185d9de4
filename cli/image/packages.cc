#include "cli/image/packages.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "cli/image/command.h"
#include "cli/image/files.h"
#include "common/base/sha256.h"
#include "dunlin/bytes.h"

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

constexpr const char* kContents = "/contents";  // of a folder of packages that is complete

std::string joined(const std::vector<std::string>& texts, const std::string& between) {
  std::string all;
  for (const std::string& each : std::set<std::string>(texts.begin(), texts.end()))
    all += (all.empty() ? "" : between) + each;
  return all;
}

std::string triplet_of(const std::string& architecture) {
  return architecture == "amd64"   ? "x86_64-linux-gnu"
         : architecture == "arm64" ? "aarch64-linux-gnu"
                                   : "arm-linux-gnueabihf";
}

// "busybox-static_1%3a1.35.0-4_arm64.deb"
Package package_of(const std::string& file) {
  const std::size_t name_end = file.find('_');
  const std::size_t version_end = file.rfind('_');
  std::string version = file.substr(name_end + 1, version_end - name_end - 1);
  if (const std::size_t colon = version.find("%3a"); colon != std::string::npos)
    version.replace(colon, 3, ":");
  return {file.substr(0, name_end), version};
}

// Lines of `contents` are: path TAB package TAB version.
Result<void> list_contents(const std::string& root, const std::string& contents) {
  std::string text;
  std::vector<fs::path> archives;
  for (const auto& entry : fs::directory_iterator(root + "/var/cache/apt/archives"))
    if (entry.path().extension() == ".deb") archives.push_back(entry.path());
  for (const fs::path& archive : archives) {
    const Package package = package_of(archive.filename().string());
    DUNLIN_ASSIGN(const std::string listed, run({{"dpkg-deb", "-c", archive.string()}}));
    std::istringstream lines(listed);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t start = line.find(" ./");
      if (start == std::string::npos || line[0] == 'd') continue;
      // Symbolic and hard links say what they are links to.
      const std::size_t end = std::min(line.find(" -> ", start), line.find(" link to ", start));
      const std::string path = line.substr(start + 3, end - start - 3);
      text += path + "\t" + package.name + "\t" + package.version + "\n";
    }
    fs::remove(archive);
  }
  return write_file(contents, text);
}

Result<void> fetch(const Packages::Wanted& wanted, const std::string& root,
                   const std::vector<std::string>& options) {
  std::error_code ignored;
  fs::remove_all(root, ignored);
  std::vector<std::string> argv = {"mmdebstrap",
                                   "--quiet",
                                   "--mode=chrootless",
                                   "--variant=extract",
                                   "--skip=cleanup/apt/cache",
                                   "--architectures=" + wanted.architecture,
                                   "--components=" + joined(wanted.components, ","),
                                   "--include=" + joined(wanted.names, ","),
                                   "bookworm",
                                   root};
  argv.insert(argv.begin() + 1, options.begin(), options.end());
  DUNLIN_TRY(run({argv}));
  return {};
}

// In a folder of our own until it is complete: others may be at the same.
Result<void> provide(const Packages::Wanted& wanted, const std::string& root) {
  std::error_code failed;
  fs::create_directories(wanted.cache, failed);
  if (failed) return {Errc::io, wanted.cache + ": " + failed.message()};
  const std::string fresh = root + "." + std::to_string(::getpid());
  Result<void> fetched = fetch(wanted, fresh, {});
  // The archive of security updates may be behind for an architecture that others need less.
  if (!fetched.ok())
    fetched = fetch(wanted, fresh, {"--setup-hook=sed -i /security/d \"$1/etc/apt/sources.list\""});
  if (fetched.ok()) fetched = list_contents(fresh, fresh + kContents);
  if (!fetched.ok()) {
    fs::remove_all(fresh, failed);
    return fetched;
  }
  if (!fs::exists(root + kContents)) fs::remove_all(root, failed);  // of a start that was cut off
  fs::rename(fresh, root, failed);
  if (!failed) return {};
  const std::string why = failed.message();
  fs::remove_all(fresh, failed);
  if (!fs::exists(root + kContents)) return {Errc::io, root + ": " + why};
  return {};
}

}  // namespace

Result<Packages> Packages::unpack(const Wanted& wanted) {
  const std::string key =
      wanted.architecture + " " + joined(wanted.components, ",") + " " + joined(wanted.names, ",");
  const std::string root =
      wanted.cache + "/" + wanted.architecture + "-" + to_hex(sha256(as_bytes(key))).substr(0, 12);
  if (!fs::exists(root + kContents)) DUNLIN_TRY(provide(wanted, root));
  Packages packages;
  packages.triplet_ = triplet_of(wanted.architecture);
  packages.root_ = root;
  DUNLIN_ASSIGN(const std::string sources, read_file(root + "/etc/apt/sources.list"));
  packages.has_security_updates_ = sources.find("security") != std::string::npos;
  std::ifstream in(root + kContents);
  for (std::string path, name, version;
       std::getline(in, path, '\t') && std::getline(in, name, '\t') && std::getline(in, version);)
    packages.owners_[path] = {name, version};
  return packages;
}

Result<std::string> Packages::find(const std::string& path) const {
  for (const char* prefix : {"/", "/usr/"}) {
    std::string file = root_ + prefix + path;
    std::error_code ignored;
    // Links in packages point below their own root.
    for (int links = 0; links < 8 && fs::is_symlink(file, ignored); ++links) {
      const fs::path target = fs::read_symlink(file, ignored);
      file = target.is_absolute()
                 ? root_ + target.string()
                 : (fs::path(file).parent_path() / target).lexically_normal().string();
    }
    if (fs::exists(file, ignored)) return file;
  }
  return {Errc::not_found, "no package has " + path};
}

Result<std::string> Packages::find_library(const std::string& name) const {
  for (const std::string& folder :
       {"lib/" + triplet_ + "/", std::string("lib/"), std::string("lib64/")}) {
    Result<std::string> found = find(folder + name);
    if (found.ok()) return found;
  }
  return {Errc::not_found, "no package has the library " + name};
}

const Package* Packages::owner(const std::string& file) const {
  // Folders on the way may be links to those of other packages.
  std::error_code failed;
  const fs::path path =
      fs::canonical(file, failed).lexically_relative(fs::canonical(root_, failed));
  const auto found = owners_.find(path.string());
  return found == owners_.end() ? nullptr : &found->second;
}

std::vector<std::string> licences(const std::string& copyright_text) {
  std::set<std::string> names;
  std::istringstream lines(copyright_text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("License: "))
      names.insert(line.substr(std::min(line.find_first_not_of(' ', 8), line.size())));
  return {names.begin(), names.end()};
}

std::string changelog_version(const std::string& changelog) {
  const std::string first = changelog.substr(0, changelog.find('\n'));
  const std::size_t open = first.find('('), close = first.find(')');
  return open < close && close < first.size() ? first.substr(open + 1, close - open - 1) : "";
}

}  // namespace dunlin::image
