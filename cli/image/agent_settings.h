#pragma once

#include <string>

#include "cli/image/profile.h"

namespace dunlin::image {

// The agent's configuration in an image: the profile's limits, and the sensors of the class that
// need no settings. More of it comes from conf.d on the boot slot.
std::string agent_settings(const Profile& profile);

}  // namespace dunlin::image
