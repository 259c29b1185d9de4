#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::image {

struct Package {
  std::string name, version;
};

// Debian packages of one architecture with all that they depend on, unpacked into one folder, which
// is kept for the next image. Nothing of it is run, and no root is needed.
class Packages {
 public:
  struct Wanted {
    std::string architecture;
    std::vector<std::string> components;
    std::vector<std::string> names;
    std::string cache;  // a folder; another list of packages gets another one in it
  };
  static Result<Packages> unpack(const Wanted& wanted);

  // With what Debian's archive of security updates had then: it may be behind, or away.
  bool has_security_updates() const { return has_security_updates_; }
  const std::string& root() const { return root_; }
  // A file of that path, with or without usr/ before it; following links within the root.
  Result<std::string> find(const std::string& path) const;
  Result<std::string> find_library(const std::string& name) const;
  // Who brought a file that find() gave.
  const Package* owner(const std::string& file) const;

 private:
  std::string root_;
  std::string triplet_;
  bool has_security_updates_ = false;
  std::map<std::string, Package> owners_;  // path below root -> its package
};

// Short names of the licences in a Debian copyright file, as far as it has them in fields.
std::vector<std::string> licences(const std::string& copyright_text);
// The newest version that a Debian changelog tells of: "1.2-3" of "name (1.2-3) bookworm; ...".
std::string changelog_version(const std::string& changelog);

}  // namespace dunlin::image
