#include "cli/image/recipe.h"

#include "common/config/table.h"

namespace dunlin::image {

namespace {

using Texts = std::vector<std::string>;

void add(Texts& to, const Texts& more) {
  to.insert(to.end(), more.begin(), more.end());
}

Boot boot_of(const std::string& name) {
  return name == "uefi" ? Boot::uefi : name == "raspberrypi" ? Boot::raspberrypi : Boot::u_boot;
}

// What both files may say.
void read_shared(config::Table& table, Recipe& recipe) {
  add(recipe.components, table.texts("components"));
  add(recipe.packages, table.texts("packages"));
  add(recipe.programs, table.texts("programs"));
  add(recipe.files, table.texts("files"));
  add(recipe.applets, table.texts("applets"));
  add(recipe.early_modules, table.texts("early_modules"));
  add(recipe.modules, table.texts("modules"));
  add(recipe.arguments, table.texts("arguments"));
}

Result<void> read(const std::string& path, Recipe& recipe, bool of_class) {
  DUNLIN_ASSIGN(config::Document document, config::Document::load({path, {}}));
  config::Table& root = document.root();
  read_shared(root, recipe);
  if (of_class) {
    recipe.kernel = root.required_text("kernel");
    recipe.boot = boot_of(root.choice("boot", "u-boot", {"u-boot", "uefi", "raspberrypi"}));
    recipe.mbr = root.choice("partition_table", "gpt", {"gpt", "mbr"}) == "mbr";
    config::Table qemu = root.table("qemu");
    recipe.firmware = qemu.text("firmware");
    recipe.variables = qemu.texts("variables");
  }
  std::string all;
  for (const std::string& mistake : document.mistakes()) all += (all.empty() ? "" : "\n") + mistake;
  if (!all.empty()) return {Errc::config, all};
  return {};
}

}  // namespace

std::string to_string(Boot boot) {
  return boot == Boot::uefi ? "uefi" : boot == Boot::raspberrypi ? "raspberrypi" : "u-boot";
}

Result<Recipe> load_recipe(const std::string& profiles, const std::string& name) {
  Recipe recipe;
  DUNLIN_TRY(read(profiles + "/base/image.toml", recipe, false));
  DUNLIN_TRY(read(profiles + "/" + name + "/image.toml", recipe, true));
  recipe.packages.push_back(recipe.kernel);
  return recipe;
}

}  // namespace dunlin::image
