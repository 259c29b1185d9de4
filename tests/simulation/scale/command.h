#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace dunlin::simulation {

// The arguments of the program, with a `fleet` before them where they name agents and no command.
std::vector<std::string> arguments_of(int argc, char** argv);
// Adds the command `fleet`; what runs it, once it was parsed, comes back.
std::function<int()> add_fleet_command(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace dunlin::simulation
