#include <cstdio>

#include "cli/commands.h"
#include "common/runtime/version.h"

int main(int argc, char** argv) {
  using namespace dunlin;
  CLI::App app("dunlin: makes a fleet and looks after it");
  app.require_subcommand(1);
  cli::Command chosen;
  cli::add_fleet_commands(app, chosen);
  cli::add_device_commands(app, chosen);
  cli::add_enrol_commands(app, chosen);
  cli::add_quarantine_commands(app, chosen);
  cli::add_report_commands(app, chosen);
  cli::add_image_commands(app, chosen);
  app.add_subcommand("version", "print the version")->callback([&] {
    chosen = [] { return std::printf("dunlin %s (%s)\n", kVersion, kRevision), cli::kOk; };
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::kOk : cli::kUsage;
  }
  return chosen();
}
