#include "common/page/words.h"

#include <cmath>
#include <cstdio>
#include <initializer_list>

namespace dunlin::page {

namespace {

std::string digits(double value) {
  const int decimals = value != 0 && std::abs(value) < 9.95 ? 1 : 0;
  char out[40];
  std::snprintf(out, sizeof out, "%.*f", decimals, value);
  std::string text = out;
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

struct Unit {
  double size;
  const char* name;
  double from;  // values that are told in it
};

// In the first of the units that is not too great, or the last.
std::string scaled(double value, std::initializer_list<Unit> units) {
  const Unit* unit = units.begin();
  while (unit + 1 != units.end() && std::abs(value) < unit->from) ++unit;
  return digits(value / unit->size) + " " + unit->name;
}

}  // namespace

std::string count_text(double value) {
  std::string text = value < 100 ? digits(value) : std::to_string(std::llround(value));
  for (auto at = static_cast<std::ptrdiff_t>(text.find('.') == std::string::npos ? text.size()
                                                                                 : text.find('.')) -
                 3;
       at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string bytes_text(double bytes) {
  return scaled(bytes, {{1e12, "TB", 0.995e12},
                        {1e9, "GB", 0.995e9},
                        {1e6, "MB", 0.995e6},
                        {1e3, "kB", 0.995e3},
                        {1, "B", 1}});
}

std::string seconds_text(double seconds) {
  return scaled(seconds, {{86'400, "d", 172'800},
                          {3600, "h", 3600},
                          {60, "min", 120},
                          {1, "s", 0.995},
                          {1e-3, "ms", 1e-6},
                          {1, "s", 0}});
}

std::string rate_text(double bits) {
  return scaled(bits, {{1e9, "Gbit/s", 0.995e9},
                       {1e6, "Mbit/s", 0.995e6},
                       {1e3, "kbit/s", 0.995e3},
                       {1, "bit/s", 1}});
}

std::string percent_text(double share) {
  char out[40];
  std::snprintf(out, sizeof out, "%.2f", share * 100);
  std::string text = out;
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text + " %";
}

}  // namespace dunlin::page
