#include "cli/commands.h"

#include <chrono>
#include <cstdio>

namespace dunlin::cli {

UtcMicros utc_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string day_of(UtcMicros time) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds(std::chrono::seconds(time / 1'000'000))));
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", int(date.year()), unsigned(date.month()),
                unsigned(date.day()));
  return text;
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
