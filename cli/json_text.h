#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace dunlin::cli {

// The text under that key of what somebody else wrote; "" when it is none.
inline std::string text_of(const nlohmann::json& from, const char* key) {
  if (!from.is_object()) return {};
  const auto found = from.find(key);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace dunlin::cli
