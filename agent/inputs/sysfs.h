#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dunlin/result.h"

namespace dunlin::agent {

// Attributes in /sys, or in a recorded tree of it. Reading one may take as long as its driver
// likes.

// The text of an attribute without blanks at its end. Nothing when there is no such file or its
// sensor has nothing to say: it is switched off, or has measured nothing yet. `io` otherwise.
Result<std::optional<std::string>> read_attribute(const std::string& path);

// The same of what only describes: "" for whatever does not read.
std::string read_label(const std::string& path);

// What the kernel calls the device that is at that path, or behind that link: "1-0048" for a chip
// on I2C; "" when there is none.
std::string device_at(const std::string& path);

// Names in a folder in alphabetical order; none when it does not read.
std::vector<std::string> names_in(const std::string& folder);

// The number between `prefix` and `suffix`, if that is what `name` is: 12 of "temp12_input".
std::optional<int> number_in(std::string_view name, std::string_view prefix,
                             std::string_view suffix = "");

// Paths of the entries of `folder` that are `prefix` and a number, in the order of their numbers.
std::vector<std::string> numbered(const std::string& folder, std::string_view prefix);

}  // namespace dunlin::agent
