#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "dunlin/result.h"

namespace dunlin::agent {

// Cuts a byte stream into lines of bounded length. Memory is bounded by `line_bytes_max`.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  // Called once a line, without its end, numbered from 1. An over-long line is `too_large` with its
  // number; the rest of it is discarded.
  using OnLine = std::function<void(std::uint64_t number, Result<std::string_view> line)>;
  void feed(std::string_view bytes, const OnLine& on_line);
  // The last line, if it had no end.
  void finish(const OnLine& on_line);

 private:
  void emit(std::string_view line, const OnLine& on_line);

  std::size_t line_bytes_max_;
  std::string partial_;
  bool discarding_ = false;
  std::uint64_t number_ = 0;
};

}  // namespace dunlin::agent
