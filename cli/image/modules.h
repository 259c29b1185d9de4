#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::image {

// The modules of one kernel, as depmod describes them.
class Modules {
 public:
  // The texts of modules.dep, modules.softdep and modules.builtin.
  Modules(std::string_view dependencies, std::string_view soft, std::string_view builtin);

  // Files of the named modules and of all that they need, relative to the kernel's folder, each
  // after what it needs. What is part of the kernel needs no file; `not_found` when a name is
  // nothing at all.
  Result<std::vector<std::string>> files(const std::vector<std::string>& names) const;

 private:
  struct Chosen {
    std::set<std::string> names;
    std::vector<std::string> files;
  };
  void add(const std::string& name, Chosen& chosen) const;

  struct Module {
    std::string file;
    std::vector<std::string> needs;  // names, the last first to be loaded
  };
  std::map<std::string, Module> modules_;
  std::set<std::string> builtin_;
};

}  // namespace dunlin::image
