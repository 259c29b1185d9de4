#include "cli/commands.h"

#include <cstdio>

#include "common/base/wall_clock.h"

namespace dunlin::cli {

std::string day_of(UtcMicros time) {
  const std::string text = utc_text(time);
  return text.substr(0, text.find('T'));
}

int fail(const Error& error) {
  std::fprintf(stderr, "dunlin: %s\n", error.message().c_str());
  return error.code == Errc::invalid_argument ? kUsage : kFailure;
}

CLI::Option* add_folder(CLI::App* command, std::string& folder) {
  return command->add_option("--dir", folder, "the fleet's folder (fleet)");
}

CLI::Option* add_passphrase(CLI::App* command, std::string& file) {
  return command
      ->add_option("--passphrase-file", file, "holds the passphrase of the authority's key")
      ->envname("DUNLIN_PASSPHRASE_FILE");
}

}  // namespace dunlin::cli
