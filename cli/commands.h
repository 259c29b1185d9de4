#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "common/base/time.h"
#include "dunlin/result.h"

namespace dunlin::cli {

inline constexpr int kOk = 0, kFailure = 1, kUsage = 2;

// What the command line asked for; returns the exit code.
using Command = std::function<int()>;

// Each adds its commands to `app`; the one that is asked for becomes `chosen`.
void add_fleet_commands(CLI::App& app, Command& chosen);
void add_device_commands(CLI::App& app, Command& chosen);
void add_enrol_commands(CLI::App& app, Command& chosen);
void add_quarantine_commands(CLI::App& app, Command& chosen);
void add_report_commands(CLI::App& app, Command& chosen);
void add_image_commands(CLI::App& app, Command& chosen);

// What they share.
std::string day_of(UtcMicros time);  // 2026-11-22
int fail(const Error& error);        // to standard error
CLI::Option* add_folder(CLI::App* command, std::string& folder);
// Of commands that sign with the authority's key; see cli/passphrase.h.
CLI::Option* add_passphrase(CLI::App* command, std::string& file);

}  // namespace dunlin::cli
