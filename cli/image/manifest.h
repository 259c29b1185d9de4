#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::image {

// What an image says of itself: manifest.json in the folder of its slot.
struct Manifest {
  static constexpr const char* kFile = "manifest.json";

  std::string profile, architecture, boot;
  std::string version, revision;  // of Dunlin
  std::string kernel;             // release
  bool security_updates = false;  // Debian's were there when its packages were fetched
  std::int64_t time = 0;          // of all its files, seconds since 1970
  struct Part {
    std::string name;  // "kernel", "initrd", "root"
    std::uint64_t size = 0;
    std::string sha256;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;
  struct Content {
    std::string package, version;
    std::vector<std::string> licences;  // as Debian's copyright file names them
    bool operator==(const Content&) const = default;
  };
  std::vector<Content> contents;
  bool operator==(const Manifest&) const = default;
};

std::string write_manifest(const Manifest& manifest);
Result<Manifest> read_manifest(const std::string& text);

}  // namespace dunlin::image
