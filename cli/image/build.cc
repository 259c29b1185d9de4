#include "cli/image/build.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

#include "cli/image/agent_settings.h"
#include "cli/image/boot_slot.h"
#include "cli/image/command.h"
#include "cli/image/compress.h"
#include "cli/image/cpio.h"
#include "cli/image/disk.h"
#include "cli/image/files.h"
#include "cli/image/modules.h"
#include "cli/image/stage.h"
#include "common/runtime/version.h"
#include "common/security/bundle.h"
#include "common/security/private_file.h"
#include "common/security/token.h"

namespace dunlin::image {

namespace {

namespace fs = std::filesystem;

constexpr const char* kPrograms[] = {"dunlin-agent", "dunlin", "dunlin-supervisor"};

// The one folder in there: a kernel's modules lie in one of its release.
Result<std::string> release_in(const Packages& packages) {
  DUNLIN_ASSIGN(const std::string folder, packages.find("lib/modules"));
  std::vector<std::string> releases;
  for (const auto& each : fs::directory_iterator(folder))
    releases.push_back(each.path().filename().string());
  if (releases.size() != 1)
    return {Errc::not_found, folder + " holds " + std::to_string(releases.size()) + " kernels"};
  return releases[0];
}

// What building one image goes through, step by step; each leaves its files in `work`.
class Build {
 public:
  Build(const BuildOptions& options, Profile profile, Recipe recipe, Packages packages,
        WorkFolder work)
      : options_(options),
        profile_(std::move(profile)),
        recipe_(std::move(recipe)),
        packages_(std::move(packages)),
        work_(std::move(work)),
        root_(work_.file("root"), packages_),
        initrd_(work_.file("initrd"), packages_),
        boot_(work_.file("boot"), packages_) {}

  Result<BuiltImage> run_all() {
    DUNLIN_TRY(read_own());
    DUNLIN_ASSIGN(release_, release_in(packages_));
    DUNLIN_TRY(load_modules());
    DUNLIN_TRY(stage_root());
    DUNLIN_TRY(stage_initrd());
    DUNLIN_TRY(stage_boot());
    DUNLIN_TRY(make_root());
    DUNLIN_TRY(write_manifest_file());
    DUNLIN_TRY(add_settings());
    DUNLIN_TRY(make_image());
    BuiltImage built;
    DUNLIN_ASSIGN(built.size, size_of(options_.out));
    built.manifest = std::move(manifest_);
    return built;
  }

 private:
  std::string base(const std::string& name) const { return options_.profiles + "/base/" + name; }

  // What is one device's alone.
  Result<void> read_own() {
    if (!options_.bundle.empty()) {
      DUNLIN_ASSIGN(bundle_, security::read_private_file(options_.bundle));
      DUNLIN_ASSIGN(const security::Bundle bundle, security::read_bundle(bundle_));
      owner_ = bundle.membership.certificate.node().to_string();
    }
    if (!options_.token.empty()) {
      DUNLIN_ASSIGN(token_, read_file(options_.token));
      DUNLIN_ASSIGN(const security::Token token,
                    security::read_token(token_.substr(0, token_.find('\n'))));
      owner_ = token.id;
    }
    return {};
  }

  Result<void> load_modules() {
    DUNLIN_TRY(run({{"depmod", "-b", packages_.root(), release_}}));
    std::string text[3];
    const char* names[] = {"modules.dep", "modules.softdep", "modules.builtin"};
    for (int i = 0; i < 3; ++i) {
      DUNLIN_ASSIGN(const std::string file,
                    packages_.find("lib/modules/" + release_ + "/" + names[i]));
      DUNLIN_ASSIGN(text[i], read_file(file));
    }
    modules_.emplace(text[0], text[1], text[2]);
    return {};
  }

  Result<void> stage_root() {
    DUNLIN_TRY(
        root_.make_folders({"dev", "proc", "sys", "run", "tmp", "data", "boot", "etc", "var/lib"}));
    for (const std::string& each : recipe_.programs) DUNLIN_TRY(root_.add_program(each));
    for (const std::string& each : recipe_.files) DUNLIN_TRY(root_.add_files(each));
    for (const char* each : kPrograms) {
      const std::string file = options_.programs + "/usr/bin/" + each;
      if (!fs::exists(file))
        return {Errc::not_found, file + " is missing: firmware-profiles/build " + profile_.name};
      DUNLIN_TRY(root_.add_own_program(file));
    }
    std::vector<std::string> names = recipe_.early_modules;
    names.insert(names.end(), recipe_.modules.begin(), recipe_.modules.end());
    DUNLIN_ASSIGN(const auto files, modules_->files(names));
    DUNLIN_TRY(root_.add_modules(release_, files));
    DUNLIN_TRY(root_.add_applets(recipe_.applets));
    DUNLIN_TRY(root_.add_tree(base("root")));
    DUNLIN_TRY(write_file(root_.path("etc/dunlin/agent.toml"), agent_settings(profile_)));
    fs::create_symlink("/run/resolv.conf", root_.path("etc/resolv.conf"));
    fs::create_symlink("/run/openntpd", root_.path("var/lib/openntpd"));
    return {};
  }

  Result<void> stage_initrd() {
    DUNLIN_TRY(initrd_.make_folders({"dev", "proc", "sys", "run", "root"}));
    DUNLIN_TRY(initrd_.add_program("bin/busybox"));
    DUNLIN_TRY(initrd_.add_applets(recipe_.applets));
    DUNLIN_ASSIGN(const auto files, modules_->files(recipe_.early_modules));
    std::string order;
    for (const std::string& each : files) {
      const std::string to = "lib/modules/" + fs::path(each).filename().string();
      DUNLIN_ASSIGN(const std::string file, packages_.find("lib/modules/" + release_ + "/" + each));
      DUNLIN_TRY(copy_file(file, initrd_.path(to)));
      order += "/" + to + "\n";
    }
    DUNLIN_TRY(write_file(initrd_.path("modules"), order));
    return copy_file(base("initrd/init"), initrd_.path("init"), 0755);
  }

  // All files of an image have one time, that of the newest file that came from Debian: it changes
  // with the packages alone. A clock that is behind it is wrong.
  Result<void> stage_boot() {
    const char* given = std::getenv("SOURCE_DATE_EPOCH");
    manifest_.time = given == nullptr ? root_.newest() : std::atoll(given);
    DUNLIN_TRY(initrd_.set_times(manifest_.time));
    DUNLIN_ASSIGN(const std::string initrd,
                  write_cpio(initrd_.folder(), static_cast<std::uint32_t>(manifest_.time)));
    DUNLIN_TRY(write_file(boot_.path("a/initrd"), initrd));
    DUNLIN_TRY(choose_seed());
    const BootSlot slot{profile_, recipe_, options_.profiles, release_, serial()};
    return slot.write(boot_);
  }

  // What is unique in a disk depends on the programs that run from it, and on whose it is: two
  // disks in one machine are told apart by it.
  Result<void> choose_seed() {
    seed_ = profile_.name + " " + release_ + " " + std::to_string(manifest_.time) + " " + owner_;
    for (const char* each : kPrograms) {
      DUNLIN_ASSIGN(const std::string hash, hash_of(root_.path(std::string("usr/bin/") + each)));
      seed_ += " " + hash;
    }
    return {};
  }
  // Of the boot slot's file system.
  std::string serial() const {
    std::string text = uuid_of(seed_ + " boot").substr(0, 8);
    for (char& each : text) each = static_cast<char>(std::toupper(each));
    return text.insert(4, "-");
  }

  // Who wrote what is in here: their licences want to be told.
  Result<void> add_licences() {
    std::map<std::string, std::string> taken = root_.taken();
    taken.insert(boot_.taken().begin(), boot_.taken().end());
    for (const auto& [name, version] : taken) {
      const std::string file = copyright_of(name);
      DUNLIN_TRY(root_.add_file(file, file));
      DUNLIN_ASSIGN(const std::string text, read_file(root_.path(file)));
      manifest_.contents.push_back({name, version, licences(text)});
    }
    return add_built_in();
  }
  static std::string copyright_of(const std::string& package) {
    return "usr/share/doc/" + package + "/copyright";
  }

  // Our own, and what our programs have in them of others: it comes with them.
  Result<void> add_built_in() {
    std::error_code missing;
    for (const auto& each : fs::directory_iterator(options_.programs + "/usr/share/doc", missing)) {
      const std::string name = each.path().filename().string();
      const std::string from = options_.programs + "/" + copyright_of(name);
      DUNLIN_TRY(copy_file(from, root_.path(copyright_of(name))));
      Manifest::Content content{name, kVersion, {"Apache-2.0"}};
      if (name != "dunlin") {
        const std::string changes = each.path().string() + "/changelog.Debian.gz";
        DUNLIN_ASSIGN(const std::string changelog, run({{"gzip", "-dc", changes}}));
        DUNLIN_ASSIGN(const std::string text, read_file(from));
        content = {name, changelog_version(changelog), licences(text)};
      }
      manifest_.contents.push_back(std::move(content));
    }
    if (missing)
      return {Errc::not_found, options_.programs + "/usr/share/doc has no licences: " +
                                   "firmware-profiles/build " + profile_.name};
    std::sort(manifest_.contents.begin(), manifest_.contents.end(),
              [](const auto& a, const auto& b) { return a.package < b.package; });
    return {};
  }

  Result<void> make_root() {
    DUNLIN_TRY(add_licences());
    DUNLIN_TRY(root_.set_times(manifest_.time));
    DUNLIN_TRY(run({{"mksquashfs", root_.folder(), work_.file("root.squashfs"), "-all-root",
                     "-noappend", "-no-xattrs", "-comp", "zstd", "-quiet", "-no-progress"},
                    environment()}));
    return {};
  }
  std::vector<std::string> environment() const {
    return {"SOURCE_DATE_EPOCH=" + std::to_string(manifest_.time),
            "E2FSPROGS_FAKE_TIME=" + std::to_string(manifest_.time)};
  }

  Result<void> add_part(const std::string& name, const std::string& file) {
    Manifest::Part part{name, 0, {}};
    DUNLIN_ASSIGN(part.size, size_of(file));
    DUNLIN_ASSIGN(part.sha256, hash_of(file));
    manifest_.parts.push_back(part);
    return {};
  }

  Result<void> write_manifest_file() {
    manifest_.profile = profile_.name;
    manifest_.architecture = profile_.architecture;
    manifest_.boot = to_string(recipe_.boot);
    manifest_.version = kVersion;
    manifest_.revision = kRevision;
    manifest_.kernel = release_;
    manifest_.security_updates = packages_.has_security_updates();
    DUNLIN_TRY(add_part("kernel", boot_.path("a/kernel")));
    DUNLIN_TRY(add_part("initrd", boot_.path("a/initrd")));
    DUNLIN_TRY(add_part("root", work_.file("root.squashfs")));
    return write_file(boot_.path(std::string("a/") + Manifest::kFile), write_manifest(manifest_));
  }

  Result<void> add_settings() {
    if (!bundle_.empty()) DUNLIN_TRY(write_file(boot_.path(kBundleFile), bundle_));
    if (!token_.empty()) DUNLIN_TRY(write_file(boot_.path(kTokenFile), token_));
    for (const std::string& each : options_.settings)
      DUNLIN_TRY(copy_file(each, boot_.path("conf.d/" + fs::path(each).filename().string())));
    return boot_.set_times(manifest_.time);
  }

  // An update puts its own kernel beside the one that is in use.
  Result<void> check_room_for_b() const {
    std::uint64_t taken = 0;
    for (const auto& each : fs::recursive_directory_iterator(boot_.folder())) {
      const bool of_slot = each.path().parent_path() == boot_.path("a");
      if (each.is_regular_file()) taken += each.file_size() * (of_slot ? 2 : 1);
    }
    const std::uint64_t room = profile_.partitions.boot / 32 * 31;  // the rest is FAT's own
    if (taken <= room) return {};
    return {Errc::too_large, "with slot b the boot partition takes " + std::to_string(taken) +
                                 " bytes, and has room for " + std::to_string(room)};
  }

  Result<void> make_image() {
    DUNLIN_TRY(check_room_for_b());
    const Profile::Partitions& sizes = profile_.partitions;
    const Layout layout = layout_of({sizes.boot, sizes.root, sizes.data});
    const std::string parts[] = {work_.file("boot.fat"), work_.file("root.squashfs"),
                                 work_.file("data.ext4")};
    DUNLIN_ASSIGN(const std::uint64_t root_size, size_of(parts[1]));
    if (root_size > sizes.root)
      return {Errc::too_large, "the root has " + std::to_string(root_size) +
                                   " bytes, its partition " + std::to_string(sizes.root)};
    DUNLIN_TRY(make_fat(parts[0], boot_.folder(), {sizes.boot, serial(), manifest_.time}));
    DUNLIN_TRY(make_data(parts[2], layout.partitions[Layout::data].size));
    const std::string disk = work_.file("disk.img");
    DUNLIN_TRY(make_disk(disk, layout, {recipe_.mbr, seed_}));
    const Layout::Partition places[] = {Layout::boot, Layout::root_a, Layout::data};
    for (int i = 0; i < 3; ++i)
      DUNLIN_TRY(write_into(disk, layout.partitions[places[i]].offset, parts[i]));
    return compress(disk, options_.out);
  }

  Result<void> make_data(const std::string& file, std::uint64_t size) {
    DUNLIN_TRY(write_file(file, ""));
    fs::resize_file(file, size);
    const std::string uuid = uuid_of(seed_ + " data");
    DUNLIN_TRY(run({{"mke2fs", "-q", "-F", "-t", "ext4", "-L", "data", "-m", "0", "-U", uuid, "-E",
                     "hash_seed=" + uuid, file},
                    environment()}));
    return {};
  }

  const BuildOptions& options_;
  const Profile profile_;
  const Recipe recipe_;
  const Packages packages_;
  const WorkFolder work_;
  Stage root_, initrd_, boot_;
  std::optional<Modules> modules_;
  std::string release_;
  std::string bundle_, token_;  // texts; "" = none
  std::string owner_;           // the node's or the token's id
  std::string seed_;
  Manifest manifest_;
};

}  // namespace

Result<BuiltImage> build(const BuildOptions& options) {
  DUNLIN_TRY(check_name(options.out));
  DUNLIN_TRY(check_settings(options.settings));
  if (!options.bundle.empty() && !options.token.empty())
    return {Errc::invalid_argument, "a device has a bundle, or enrols with a token: not both"};
  DUNLIN_ASSIGN(Profile profile, load_profile(options.profiles, options.profile));
  DUNLIN_ASSIGN(Recipe recipe, load_recipe(options.profiles, options.profile));
  DUNLIN_ASSIGN(Packages packages, Packages::unpack({profile.architecture, recipe.components,
                                                     recipe.packages, options.cache}));
  DUNLIN_ASSIGN(WorkFolder work, WorkFolder::make());
  return Build(options, std::move(profile), std::move(recipe), std::move(packages), std::move(work))
      .run_all();
}

}  // namespace dunlin::image
