#include "cli/image/modules.h"

#include <algorithm>
#include <sstream>

namespace dunlin::image {

namespace {

// "kernel/fs/nls/nls_utf8.ko" and "nls-utf8" are the same module, nls_utf8.
std::string name_of(std::string_view file) {
  std::string name(file.substr(file.rfind('/') + 1));
  name = name.substr(0, name.find(".ko"));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace

Modules::Modules(std::string_view dependencies, std::string_view soft, std::string_view builtin) {
  std::string word;
  std::istringstream lines{std::string(dependencies)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    Module module{line.substr(0, colon), {}};
    std::istringstream words(line.substr(colon + 1));
    while (words >> word) module.needs.push_back(name_of(word));
    modules_[name_of(module.file)] = module;
  }
  // softdep NAME pre: NAMES post: NAMES
  std::istringstream soft_lines{std::string(soft)};
  for (std::string line; std::getline(soft_lines, line);) {
    std::istringstream words(line);
    if (!(words >> word) || word != "softdep" || !(words >> word)) continue;
    const auto module = modules_.find(name_of(word));
    while (module != modules_.end() && words >> word)
      if (!word.ends_with(':')) module->second.needs.push_back(name_of(word));
  }
  std::istringstream builtin_lines{std::string(builtin)};
  for (std::string line; std::getline(builtin_lines, line);) builtin_.insert(name_of(line));
}

void Modules::add(const std::string& name, Chosen& chosen) const {
  const auto found = modules_.find(name);
  if (found == modules_.end() || !chosen.names.insert(name).second) return;
  const Module& module = found->second;
  for (auto need = module.needs.rbegin(); need != module.needs.rend(); ++need) add(*need, chosen);
  chosen.files.push_back(module.file);
}

Result<std::vector<std::string>> Modules::files(const std::vector<std::string>& names) const {
  Chosen chosen;
  for (const std::string& each : names) {
    const std::string name = name_of(each);
    if (!modules_.contains(name) && !builtin_.contains(name))
      return {Errc::not_found, "the kernel has no module " + each};
    add(name, chosen);
  }
  return chosen.files;
}

}  // namespace dunlin::image
