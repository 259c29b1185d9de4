#include "cli/image/inspect.h"

#include <filesystem>

#include "cli/image/build.h"
#include "cli/image/command.h"
#include "cli/image/compress.h"
#include "common/security/bundle.h"

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

// Everything on the boot slot, into a folder.
Result<void> unpack_boot(const std::string& disk, const Layout& layout, const std::string& folder) {
  const std::string at = disk + "@@" + std::to_string(layout.partitions[Layout::boot].offset);
  DUNLIN_TRY(make_folder(folder));
  DUNLIN_TRY(run({{"mcopy", "-i", at, "-s", "-n", "-Q", "::*", folder}, {"MTOOLS_SKIP_CHECK=1"}}));
  return {};
}

Result<Inspected::Slot> inspect_slot(const std::string& disk, const Extent& root,
                                     const std::string& folder) {
  Inspected::Slot slot{fs::path(folder).filename().string(), {}, {}};
  DUNLIN_ASSIGN(const std::string text, read_file(folder + "/" + Manifest::kFile));
  DUNLIN_ASSIGN(slot.manifest, read_manifest(text));
  for (const Manifest::Part& part : slot.manifest.parts) {
    if (part.name.find('/') != std::string::npos)
      return {Errc::malformed, "a part with the name " + part.name};
    const bool is_root = part.name == "root";
    const Result<std::string> hash =
        is_root ? hash_of(disk, {root.offset, std::min(part.size, root.size)})
                : hash_of(folder + "/" + part.name);
    if (!hash.ok() || *hash != part.sha256) slot.differs.push_back(part.name);
  }
  return slot;
}

Result<Inspected> inspect_disk(const std::string& disk, const std::string& boot) {
  Inspected inspected;
  DUNLIN_ASSIGN(inspected.layout, read_layout(disk));
  DUNLIN_TRY(unpack_boot(disk, inspected.layout, boot));
  const Layout::Partition roots[] = {Layout::root_a, Layout::root_b};
  for (const char* name : {"a", "b"}) {
    if (!fs::exists(boot + "/" + name)) continue;
    DUNLIN_ASSIGN(
        Inspected::Slot slot,
        inspect_slot(disk, inspected.layout.partitions[roots[name[0] - 'a']], boot + "/" + name));
    inspected.slots.push_back(std::move(slot));
  }
  if (inspected.slots.empty()) return {Errc::malformed, "its boot slot has nothing to boot"};
  if (fs::exists(boot + "/" + kBundleFile)) {
    DUNLIN_ASSIGN(const std::string text, read_file(boot + "/" + kBundleFile));
    DUNLIN_ASSIGN(const security::Bundle bundle, security::read_bundle(text));
    const security::Certificate& certificate = bundle.membership.certificate;
    const auto& member = certificate.member();
    inspected.owner = {member->name, member->cell, member->fleet, certificate.node().to_string()};
  }
  inspected.token = fs::exists(boot + "/" + kTokenFile);
  if (fs::is_directory(boot + "/conf.d"))
    for (const auto& each : fs::directory_iterator(boot + "/conf.d"))
      inspected.settings.push_back(each.path().filename().string());
  return inspected;
}

}  // namespace

Result<Inspected> inspect(const std::string& image) {
  DUNLIN_ASSIGN(const WorkFolder work, WorkFolder::make());
  DUNLIN_TRY(decompress(image, work.file("disk.img")));
  return inspect_disk(work.file("disk.img"), work.file("boot"));
}

Result<std::string> profile_of(const std::string& disk) {
  DUNLIN_ASSIGN(const WorkFolder work, WorkFolder::make());
  DUNLIN_ASSIGN(const Inspected inspected, inspect_disk(disk, work.file("boot")));
  return inspected.slots[0].manifest.profile;
}

}  // namespace dunlin::image
