#pragma once

#include <string_view>

namespace dunlin {

// MQTT 5.0, section 4.7. `+` stands for one level, a last `#` for the level before it and
// everything below. A filter that starts with a wildcard does not match topics that start with `$`.
// Both arguments are taken to be valid.
bool topic_matches(std::string_view filter, std::string_view topic);

// Non-empty, at most 65,535 bytes, no NUL; a topic holds no wildcard, a filter only whole-level
// ones.
bool is_valid_topic(std::string_view topic);
bool is_valid_filter(std::string_view filter);

}  // namespace dunlin
