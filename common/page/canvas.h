#pragma once

#include <string>
#include <vector>

#include "common/page/plot.h"

namespace dunlin::page {

// An SVG with room for labels, and what all kinds of plots draw on it.
class Canvas {
 public:
  static constexpr double kHeight = 250;
  static constexpr double kLeft = 64, kRight = 14, kTop = 14, kBottom = 42;

  Canvas(const Frame& frame, const std::string& legend);
  std::string finish();

  double x(double at) const;
  double right() const { return frame_.width - kRight; }
  double bottom() const { return kHeight - kBottom; }
  void raw(const std::string& svg) { out_ += svg; }
  void rect(const std::string& attributes, double left, double top, double width, double height,
            const std::string& told = "");
  void text(const char* kind, double at_x, double at_y, const char* anchor,
            const std::string& text);
  void level(double y, const std::string& label);  // a line across, with its value
  void axis();

 private:
  const Frame& frame_;
  std::string out_;
};

std::string px(double value);
// 1, 2 or 5 times a power of ten, at most so many in the span.
double step_of(double span, int steps_max);

}  // namespace dunlin::page
