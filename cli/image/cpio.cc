#include "cli/image/cpio.h"

#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <map>

#include "cli/image/files.h"

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

struct Entry {
  std::uint32_t number = 0, mode = 0, time = 0;
};

void pad(std::string& archive) {
  archive.append((4 - archive.size() % 4) % 4, '\0');
}

void append(std::string& archive, Entry entry, const std::string& name,
            const std::string& content) {
  char head[120];
  std::snprintf(head, sizeof head, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                entry.number, entry.mode, 0U, 0U, 1U, entry.time, unsigned(content.size()), 0U, 0U,
                0U, 0U, unsigned(name.size() + 1), 0U);
  archive += head + name;
  archive += '\0';
  pad(archive);
  archive += content;
  pad(archive);
}

}  // namespace

Result<std::string> write_cpio(const std::string& folder, std::uint32_t time) {
  std::map<std::string, fs::directory_entry> entries;
  for (const auto& each : fs::recursive_directory_iterator(folder))
    entries[each.path().lexically_relative(folder).string()] = each;
  std::string archive;
  Entry entry{.time = time};
  for (const auto& [name, each] : entries) {
    struct stat status {};
    if (::lstat(each.path().c_str(), &status) != 0) return {Errc::io, each.path().string()};
    entry.number += 1;
    entry.mode = status.st_mode;
    std::string content;
    if (each.is_symlink()) {
      content = fs::read_symlink(each.path()).string();
    } else if (each.is_regular_file()) {
      DUNLIN_ASSIGN(content, read_file(each.path().string()));
    }
    append(archive, entry, name, content);
  }
  append(archive, {}, "TRAILER!!!", "");
  return archive;
}

}  // namespace dunlin::image
