#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/image/disk.h"
#include "cli/image/manifest.h"
#include "dunlin/result.h"

namespace dunlin::image {

// What is in an image or on a disk that was made from one.
struct Inspected {
  Layout layout;
  struct Slot {
    std::string name;  // "a", "b"
    Manifest manifest;
    std::vector<std::string> differs;  // parts that are not as the manifest says
  };
  std::vector<Slot> slots;  // those that are not empty
  struct Owner {
    std::string name, cell, fleet, node;
  };
  std::optional<Owner> owner;         // whose bundle lies on the boot slot
  bool token = false;                 // it enrols with one
  std::vector<std::string> settings;  // names of files in conf.d
};

// `malformed` when it is none of ours. Secrets are looked at, never told.
Result<Inspected> inspect(const std::string& image);

// The profile that a disk was made for.
Result<std::string> profile_of(const std::string& disk);

}  // namespace dunlin::image
