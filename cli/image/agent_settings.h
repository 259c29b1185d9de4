#pragma once

#include <string>
#include <vector>

#include "cli/image/profile.h"
#include "dunlin/result.h"

namespace dunlin::image {

// The agent's configuration in an image: the profile's limits, and the sensors of the class that
// need no settings. More of it comes from conf.d on the boot slot.
std::string agent_settings(const Profile& profile);

// Files that are to lie in conf.d. `invalid_argument` for a name that is not NAME.toml, which the
// agent would not read, or that another one has, too: FAT knows no capitals. `config`, with file
// and line, for what is no TOML. What the settings mean the agent alone knows.
Result<void> check_settings(const std::vector<std::string>& files);

}  // namespace dunlin::image
