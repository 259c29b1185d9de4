#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/image/build.h"
#include "cli/image/inspect.h"
#include "cli/image/run.h"
#include "cli/image_write.h"

namespace dunlin::cli {

namespace {

struct Asked {
  image::BuildOptions build;
  std::string image;
  image::RunOptions run;
  ImageWrite write;
  bool no_clock = false;
};

void print(const image::Manifest& manifest) {
  std::printf("%s for %s: Dunlin %s (%s), kernel %s\n", manifest.profile.c_str(),
              manifest.architecture.c_str(), manifest.version.c_str(), manifest.revision.c_str(),
              manifest.kernel.c_str());
  if (!manifest.security_updates) std::printf("  WITHOUT Debian's security updates\n");
  for (const image::Manifest::Part& each : manifest.parts)
    std::printf("  %-8s %10llu bytes  %s\n", each.name.c_str(), (unsigned long long)each.size,
                each.sha256.c_str());
}

int inspect(const std::string& file) {
  const auto inspected = image::inspect(file);
  if (!inspected.ok()) return fail(inspected.error());
  bool sound = true;
  for (const image::Inspected::Slot& slot : inspected->slots) {
    std::printf("slot %s: ", slot.name.c_str());
    print(slot.manifest);
    for (const std::string& part : slot.differs)
      std::printf("  %s IS NOT what the manifest says\n", part.c_str());
    sound = sound && slot.differs.empty();
  }
  const auto& owner = inspected->owner;
  if (owner)
    std::printf("bundle: %s of cell %s, fleet %s, node %s\n", owner->name.c_str(),
                owner->cell.c_str(), owner->fleet.c_str(), owner->node.c_str());
  std::printf("token: %s\n", inspected->token ? "there is one" : "none");
  for (const std::string& each : inspected->settings) std::printf("settings: %s\n", each.c_str());
  for (const auto& each : inspected->slots[0].manifest.contents) {
    std::string names;
    for (const std::string& licence : each.licences) names += (names.empty() ? "" : ", ") + licence;
    std::printf("%s %s: %s\n", each.package.c_str(), each.version.c_str(),
                names.empty() ? "see its copyright file" : names.c_str());
  }
  return sound ? kOk : kFailure;
}

int build(const image::BuildOptions& options) {
  const auto built = image::build(options);
  if (!built.ok()) return fail(built.error());
  print(built->manifest);
  if (!built->manifest.security_updates)
    std::fprintf(
        stderr,
        "warning: Debian's archive of security updates did not answer when the packages in "
        "%s were fetched; delete them to try again\n",
        options.cache.c_str());
  std::printf("%s: %llu bytes\n", options.out.c_str(), (unsigned long long)built->size);
  return kOk;
}

int run(const std::string& file, const image::RunOptions& options) {
  const auto older = image::provide_disk(file, options.disk);
  if (!older.ok()) return fail(older.error());
  if (*older)
    std::fprintf(stderr, "%s runs, which is older than %s; delete it for a new one\n",
                 options.disk.c_str(), file.c_str());
  return fail(image::become_machine(options));
}

}  // namespace

void add_image_commands(CLI::App& app, Command& chosen) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* image = app.add_subcommand("image", "disk images for devices")->require_subcommand(1);

  CLI::App* command = image->add_subcommand("build", "make an image for a class of devices");
  image::BuildOptions& options = asked->build;
  command->add_option("profile", options.profile, "the class, a folder of the profiles")
      ->required();
  command->add_option("--bundle", options.bundle, "of the one device that it is for");
  command->add_option("--token", options.token, "a file: what the device enrols with instead");
  command->add_option("--settings", options.settings, "more of the agent's configuration (TOML)");
  command->add_option("--out", options.out, "NAME.img.xz, NAME.img.zst or NAME.img")->required();
  options.profiles = asked->run.profiles = "firmware-profiles";
  command->add_option("--profiles", options.profiles, "the folder of all classes");
  command->add_option("--programs", options.programs,
                      "what firmware-profiles/build installed (build/firmware/PROFILE/tree)");
  options.cache = "build/packages";
  command->add_option("--cache", options.cache, "keeps Debian's packages for the next image");
  command->callback([&chosen, asked] {
    if (asked->build.programs.empty())
      asked->build.programs = "build/firmware/" + asked->build.profile + "/tree";
    chosen = [asked] { return cli::build(asked->build); };
  });

  command = image->add_subcommand("inspect", "what is in an image; 1: not what it says of itself");
  command->add_option("image", asked->image, "a file of `image build`")->required();
  command->callback([&chosen, asked] { chosen = [asked] { return cli::inspect(asked->image); }; });

  command = image->add_subcommand("write", "put an image onto a card or disk, and read it back");
  command->add_option("image", asked->write.image, "a file of `image build`")->required();
  command->add_option("device", asked->write.device, "a whole one, such as /dev/sdX")->required();
  command->add_flag("--expand", asked->write.expand,
                    "the data partition takes the rest of the device");
  command->add_flag("--yes", asked->write.yes, "do not ask");
  command->callback([&chosen, asked] { chosen = [asked] { return write_image(asked->write); }; });

  command = image->add_subcommand(
      "run", "boot an image in QEMU, where this machine is 10.0.2.2; its console is here");
  command->add_option("image", asked->image, "a file of `image build`")->required();
  command->add_option("--disk", asked->run.disk,
                      "the machine's, kept from run to run (beside the image, NAME.disk)");
  command->add_option("--profiles", asked->run.profiles, "the folder of all classes");
  command->add_flag("--no-clock", asked->no_clock, "it wakes in 1970");
  command->add_option("qemu", asked->run.qemu, "after --: more options of QEMU");
  command->callback([&chosen, asked] {
    image::RunOptions& run = asked->run;
    if (run.disk.empty()) run.disk = asked->image + ".disk";
    run.clock = !asked->no_clock;
    chosen = [asked] { return cli::run(asked->image, asked->run); };
  });
}

}  // namespace dunlin::cli
