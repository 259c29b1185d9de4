#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/image/packages.h"

namespace dunlin::image {

// A folder that becomes a file system of the image. Libraries lie flat in usr/lib, where the loader
// looks for them in every architecture. Each file is of a package, or else `not_found` names it.
class Stage {
 public:
  Stage(std::string folder, const Packages& packages)
      : folder_(std::move(folder)), packages_(packages) {}

  const Packages& packages() const { return packages_; }
  const std::string& folder() const { return folder_; }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  // usr/bin, where all programs are, and usr/lib; other names for them, and what is mounted over.
  Result<void> make_folders(const std::vector<std::string>& mount_points);
  // A program of a package or a file of the host's, and the libraries that it needs.
  Result<void> add_program(const std::string& path);
  Result<void> add_own_program(const std::string& file);
  // A file or a folder of a package, at its place, or the files of a folder that match a name with
  // `*`; or a file at another place.
  Result<void> add_files(const std::string& path);
  Result<void> add_file(const std::string& path, const std::string& to);
  // The kernel's modules, with what depmod makes of them.
  Result<void> add_modules(const std::string& release, const std::vector<std::string>& files);
  Result<void> add_applets(const std::vector<std::string>& names);
  // Everything below a folder of the host's; what is executable there is so here.
  Result<void> add_tree(const std::string& host_folder);
  // Nothing here is younger or older than that.
  Result<void> set_times(std::int64_t time) const;

  // The packages that files were taken from, with their versions.
  const std::map<std::string, std::string>& taken() const { return taken_; }
  // Of what was taken: the time of the newest file.
  std::int64_t newest() const { return newest_; }

 private:
  Result<void> take(const std::string& file, const std::string& to, unsigned mode);
  Result<void> add_matching(const std::string& pattern);
  Result<void> add_libraries(const std::string& file);

  std::string folder_;
  const Packages& packages_;
  std::map<std::string, std::string> taken_;
  std::int64_t newest_ = 0;
};

}  // namespace dunlin::image
