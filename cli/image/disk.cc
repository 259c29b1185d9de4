#include "cli/image/disk.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/image/command.h"
#include "common/base/sha256.h"
#include "dunlin/bytes.h"

namespace dunlin::image {

namespace {

constexpr std::uint64_t kSector = 512;
constexpr const char* kNames[] = {"boot", "root-a", "root-b", "data"};

std::uint64_t aligned(std::uint64_t size) {
  return (size + Layout::kAlign - 1) / Layout::kAlign * Layout::kAlign;
}

// What sfdisk reads.
std::string script(const Layout& layout, const Table& table) {
  const std::string id = uuid_of(table.seed + " disk");
  std::string text = table.mbr ? "label: dos\nlabel-id: 0x" + id.substr(0, 8) + "\n"
                               : "label: gpt\nlabel-id: " + id + "\nfirst-lba: 34\n";
  for (int i = 0; i < Layout::kCount; ++i) {
    const Extent& each = layout.partitions[i];
    text += "start=" + std::to_string(each.offset / kSector) +
            ", size=" + std::to_string(each.size / kSector);
    const bool boots = i == Layout::boot;
    if (table.mbr)
      text += boots ? ", type=c, bootable" : ", type=83";
    else
      text += std::string(", type=") + (boots ? "uefi, attrs=LegacyBIOSBootable" : "linux") +
              ", name=" + kNames[i] + ", uuid=" + uuid_of(table.seed + kNames[i]);
    text += "\n";
  }
  return text;
}

}  // namespace

std::string uuid_of(const std::string& seed) {
  std::string hex = to_hex(sha256(as_bytes(seed))).substr(0, 32);
  hex[12] = '4';
  hex[16] = 'a';
  for (const std::size_t at : {8U, 13U, 18U, 23U}) hex.insert(at, "-");
  return hex;
}

Layout layout_of(const Sizes& sizes) {
  Layout layout;
  std::uint64_t at = Layout::kAlign;
  const std::uint64_t each[] = {sizes.boot, sizes.root, sizes.root, sizes.data};
  for (int i = 0; i < Layout::kCount; ++i) {
    layout.partitions[i] = {at, aligned(each[i])};
    at += layout.partitions[i].size;
  }
  layout.size = at + Layout::kAlign;
  return layout;
}

Result<void> make_disk(const std::string& file, const Layout& layout, const Table& table) {
  DUNLIN_TRY(write_file(file, ""));
  if (::truncate(file.c_str(), static_cast<off_t>(layout.size)) != 0)
    return {Errc::io, file + ": " + std::strerror(errno)};
  DUNLIN_TRY(run({.argv = {"sfdisk", "--quiet", file}, .stdin_text = script(layout, table)}));
  return {};
}

Result<Layout> read_layout(const std::string& file) {
  DUNLIN_ASSIGN(const std::string text, run({{"sfdisk", "--json", file}}));
  Layout layout;
  DUNLIN_ASSIGN(layout.size, size_of(file));
  try {
    const nlohmann::json partitions = nlohmann::json::parse(text)["partitiontable"]["partitions"];
    if (partitions.size() != Layout::kCount)
      return {Errc::malformed, file + " has not the four partitions of an image"};
    for (int i = 0; i < Layout::kCount; ++i) {
      const nlohmann::json& each = partitions[std::size_t(i)];
      const std::uint64_t start = each.at("start"), size = each.at("size");
      layout.partitions[i] = {start * kSector, size * kSector};
    }
  } catch (const nlohmann::json::exception& error) {
    return {Errc::malformed, file + ": " + error.what()};
  }
  return layout;
}

}  // namespace dunlin::image
