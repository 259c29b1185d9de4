#include "agent/inputs/sysfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <map>

#include "agent/inputs/files.h"
#include "common/base/stop_event.h"

namespace dunlin::agent {

namespace {

bool says_nothing(int error) {
  return error == ENOENT || error == EAGAIN || error == ENODATA || error == ENXIO;
}

}  // namespace

Result<std::optional<std::string>> read_attribute(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char page[4096];  // what an attribute has at most
  const ssize_t n = file.get() < 0 ? -1 : read(file.get(), page, sizeof page);
  if (n < 0 && says_nothing(errno)) return std::optional<std::string>();
  if (n < 0) return Error{Errc::io, path + ": " + last_os_error()};
  std::string text(page, static_cast<std::size_t>(n));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.empty()) return std::optional<std::string>();
  return std::optional<std::string>(std::move(text));
}

std::string read_label(const std::string& path) {
  Result<std::optional<std::string>> text = read_attribute(path);
  return text.ok() ? std::move(text).value().value_or("") : "";
}

std::string device_at(const std::string& path) {
  std::error_code missing;
  const std::filesystem::path real = std::filesystem::canonical(path, missing);
  return missing ? "" : real.filename().string();
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    out.push_back(entry->path().filename().string());
    entry.increment(error);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<int> number_in(std::string_view name, std::string_view prefix,
                             std::string_view suffix) {
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) ||
      !name.ends_with(suffix)) {
    return std::nullopt;
  }
  const char* first = name.data() + prefix.size();
  const char* last = name.data() + name.size() - suffix.size();
  unsigned short number = 0;
  const auto [end, failure] = std::from_chars(first, last, number);
  if (failure != std::errc() || end != last) return std::nullopt;
  return number;
}

std::vector<std::string> numbered(const std::string& folder, std::string_view prefix) {
  std::map<int, std::string> found;
  for (const std::string& name : names_in(folder)) {
    if (const auto number = number_in(name, prefix)) found.emplace(*number, folder + "/" + name);
  }
  std::vector<std::string> out;
  for (auto& [number, path] : found) out.push_back(std::move(path));
  return out;
}

}  // namespace dunlin::agent
