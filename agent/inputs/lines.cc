#include "agent/inputs/lines.h"

namespace dunlin::agent {

void LineSplitter::emit(std::string_view line, const OnLine& on_line) {
  if (discarding_) {
    discarding_ = false;  // reported when it grew too long
    return;
  }
  if (line.ends_with('\r')) line.remove_suffix(1);
  on_line(++number_, line);
}

void LineSplitter::feed(std::string_view bytes, const OnLine& on_line) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!discarding_ && partial_.size() + piece.size() > line_bytes_max_) {
      partial_.clear();
      discarding_ = true;
      on_line(++number_, Error{Errc::too_large,
                               "a line longer than " + std::to_string(line_bytes_max_) + " bytes"});
    }
    if (end == std::string_view::npos) {
      if (!discarding_) partial_.append(piece);
      return;
    }
    if (partial_.empty()) {
      emit(piece, on_line);
    } else {
      partial_.append(piece);
      emit(partial_, on_line);
      partial_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

void LineSplitter::finish(const OnLine& on_line) {
  if (!partial_.empty()) emit(partial_, on_line);
  partial_.clear();
}

}  // namespace dunlin::agent
