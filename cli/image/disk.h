#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/image/files.h"
#include "dunlin/result.h"

namespace dunlin::image {

// The four partitions of every disk, at the same place whatever the partition table: boot, root-a,
// root-b, data. They begin at 1 MiB and are full MiB long.
struct Layout {
  static constexpr std::uint64_t kAlign = 1 << 20;
  static constexpr int kCount = 4;
  enum Partition { boot, root_a, root_b, data };

  Extent partitions[kCount];
  std::uint64_t size = 0;  // of the disk: GPT has a copy of the table at its end
};

struct Sizes {
  std::uint64_t boot = 0, root = 0, data = 0;
};
Layout layout_of(const Sizes& sizes);

// Makes a disk with a partition table. What has to be unique in it comes from `seed`, so that the
// same seed gives the same bytes.
struct Table {
  bool mbr = false;
  std::string seed;
};
Result<void> make_disk(const std::string& file, const Layout& layout, const Table& table);

// As the partition table of a disk says. `malformed` when it is not of ours.
Result<Layout> read_layout(const std::string& file);

// 32 hex digits of a seed in the form of a UUID, version 4.
std::string uuid_of(const std::string& seed);

}  // namespace dunlin::image
