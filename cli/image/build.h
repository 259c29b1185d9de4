#pragma once

#include <string>
#include <vector>

#include "cli/image/manifest.h"
#include "dunlin/result.h"

namespace dunlin::image {

// Files of the boot slot.
inline constexpr const char* kBundleFile = "device.bundle";
inline constexpr const char* kTokenFile = "token";

struct BuildOptions {
  std::string profile;
  std::string profiles;               // the folder of all classes
  std::string programs;               // holds usr/bin/dunlin-agent and the others, cross-built
  std::string cache;                  // of unpacked packages
  std::string bundle;                 // a file, for one device alone; "" = none
  std::string token;                  // likewise, by which it enrols
  std::vector<std::string> settings;  // more of the agent's configuration: TOML files
  std::string out;                    // .img, .img.zst or .img.xz
};

struct BuiltImage {
  Manifest manifest;
  std::uint64_t size = 0;  // of the file
};

// Makes a disk image: the same inputs give the same bytes. What the agent is given on the boot slot
// (bundle, token, settings) can be changed there later by anybody who has the card.
//
// Fails with `invalid_argument` for a bundle and a token at once and for names of settings that
// would not be read, `config` for mistakes in profile, recipe or settings, `not_found` for what is
// not there, `io` with what a tool said, `too_large` when something does not fit its partition.
Result<BuiltImage> build(const BuildOptions& options);

}  // namespace dunlin::image
