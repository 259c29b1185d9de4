#include "cli/image/agent_settings.h"

namespace dunlin::image {

std::string agent_settings(const Profile& profile) {
  std::string text = "[node]\ndata_dir = \"/data/agent\"\n\n[storage]\nmax_bytes = " +
                     std::to_string(profile.agent.max_bytes) +
                     "\nmin_free_bytes = " + std::to_string(profile.agent.min_free_bytes) +
                     "\n\n[[track]]\nname = \"samples\"\nflush_interval = \"" +
                     std::to_string(profile.agent.flush_interval.count()) + "us\"\n";
  text += "\n[[input]]\ntype = \"host\"\ninterval = \"10s\"\ndisk_path = \"/data\"\n";
  text += "\n[[input]]\ntype = \"thermal\"\ninterval = \"10s\"\n";
  return text;
}

}  // namespace dunlin::image
