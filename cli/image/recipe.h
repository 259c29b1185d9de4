#pragma once

#include <string>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::image {

// How a disk of a class starts.
enum class Boot { u_boot, uefi, raspberrypi };
std::string to_string(Boot boot);

// What goes into the images of a class: base/image.toml, which all share, with the class's own
// image.toml added to it. Packages are Debian's; paths are those in the packages.
struct Recipe {
  std::string kernel;  // a package whose one kernel it is
  Boot boot = Boot::u_boot;
  bool mbr = false;                     // a partition table for boot ROMs that read no GPT
  std::vector<std::string> components;  // of Debian's archive
  std::vector<std::string> packages;
  std::vector<std::string> programs;       // with the libraries that they need
  std::vector<std::string> files;          // and folders, as they are; `*` in the last name
  std::vector<std::string> applets;        // of busybox
  std::vector<std::string> early_modules;  // of the kernel, to find the disk
  std::vector<std::string> modules;        // loaded when the hardware is there
  std::vector<std::string> arguments;      // of the kernel
  // Of the machine in QEMU:
  std::string firmware;                // a file of the host's
  std::vector<std::string> variables;  // NAME=value of its U-Boot, in place of what it brings
};

// `config` with every mistake as `file:line: [section] key: what`.
Result<Recipe> load_recipe(const std::string& profiles, const std::string& name);

}  // namespace dunlin::image
