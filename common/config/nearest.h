#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dunlin::config {

// The name among `known` that `word` was probably meant to be: the smallest edit distance (insert,
// delete, replace or swap of neighbours), if it is at most a third of the word, but always 1 or 2.
// "" when nothing is near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

// `; did you mean "x"?` for the nearest name, or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace dunlin::config
