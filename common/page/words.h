#pragma once

#include <cstdint>
#include <string>

namespace dunlin::page {

// Numbers for people, of two or three digits that say something.
std::string count_text(double value);      // 12,345
std::string bytes_text(double bytes);      // 68 kB, 4.2 MB
std::string seconds_text(double seconds);  // 12 ms, 74 s, 24 h
std::string rate_text(double bits);        // a second: 870 bit/s, 4.2 kbit/s
std::string percent_text(double share);    // 5 %, 99.97 %

}  // namespace dunlin::page
