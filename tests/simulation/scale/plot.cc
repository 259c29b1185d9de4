#include "tests/simulation/scale/plot.h"

#include <algorithm>
#include <cmath>

#include "tests/simulation/scale/words.h"

namespace dunlin::simulation {

namespace {

constexpr double kWidth = 560, kHeight = 250;
constexpr double kLeft = 64, kRight = 14, kTop = 14, kBottom = 42;

std::string px(double value) {
  const long tenths = std::lround(value * 10);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

// 1, 2 or 5 times a power of ten.
double step_of(double span, int steps_max) {
  double step = std::pow(10, std::floor(std::log10(span / steps_max)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (span / (step * factor) <= steps_max) return step * factor;
  }
  return step * 10;
}

// Whole steps of hours and days.
double hour_step(double span) {
  for (const double step : {0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0, 168.0}) {
    if (span / step <= 10) return step;
  }
  return step_of(span, 10);
}

class Drawing {
 public:
  explicit Drawing(const Plot& plot) : plot_(plot) {
    end_ = plot.hours.empty() ? 1 : std::max(0.01, plot.hours.back());
    double least = 1e300, most = 0;
    for (const Plot::Line& line : plot.lines) {
      for (const std::optional<double>& value : line.values) {
        if (!value) continue;
        most = std::max(most, *value);
        if (*value > 0) least = std::min(least, *value);
      }
    }
    plot.ticks.empty() ? scale_linear(most) : scale_logarithmic(least, most);
  }

  std::string make() {
    out_ = "<figure class=\"plot\"><figcaption><h3>" + escape(plot_.title) + "</h3><p>" +
           escape(plot_.about) + "</p>" + legend() + "</figcaption>\n<svg viewBox=\"0 0 " +
           px(kWidth) + " " + px(kHeight) + "\" role=\"img\" aria-label=\"" + escape(plot_.title) +
           "\">\n";
    if (plot_.band) add_band(*plot_.band);
    add_axes();
    for (std::size_t i = 0; i < plot_.lines.size(); ++i) add_line(i);
    add_values();
    return out_ + "</svg></figure>\n";
  }

 private:
  void scale_linear(double most) {
    high_ = plot_.top.value_or(most > 0 ? most * 1.05 : 1);
    const double step = step_of(high_, 5);
    if (!plot_.top) high_ = std::ceil(high_ / step) * step;
    for (double tick = 0; tick <= high_ * 1.0001; tick += step) ticks_.push_back(tick);
  }
  // From the tick below the least to the one above the most.
  void scale_logarithmic(double least, double most) {
    for (const double tick : plot_.ticks) {
      const bool low = !ticks_.empty() && tick <= least;
      if (low) ticks_.clear();
      ticks_.push_back(tick);
      if (tick >= most && ticks_.size() > 1) break;
    }
    low_ = ticks_.front();
    high_ = std::max(most, ticks_.back());
  }

  double x(double hour) const { return kLeft + (kWidth - kLeft - kRight) * hour / end_; }
  double y(double value) const {
    const double part = plot_.ticks.empty()
                            ? value / high_
                            : std::log(std::max(value, low_) / low_) / std::log(high_ / low_);
    return kHeight - kBottom - (kHeight - kTop - kBottom) * std::clamp(part, 0.0, 1.0);
  }

  std::string legend() const {
    std::string out = "<ul class=\"legend\">";
    for (std::size_t i = 0; i < plot_.lines.size(); ++i) {
      out += "<li><span class=\"key key" + std::to_string(i) + "\"></span>" +
             escape(plot_.lines[i].name) + "</li>";
    }
    return out + "</ul>";
  }
  void add_band(const Plot::Band& band) {
    out_ += "<rect class=\"band\" x=\"" + px(x(band.from)) + "\" y=\"" + px(kTop) + "\" width=\"" +
            px(x(band.to) - x(band.from)) + "\" height=\"" + px(kHeight - kTop - kBottom) +
            "\"/>\n";
    add_text("name", (x(band.from) + x(band.to)) / 2, kTop + 14, "middle", band.name);
  }
  void add_text(const char* kind, double at_x, double at_y, const char* anchor,
                const std::string& text) {
    out_ += std::string("<text class=\"") + kind + "\" x=\"" + px(at_x) + "\" y=\"" + px(at_y) +
            "\" text-anchor=\"" + anchor + "\">" + escape(text) + "</text>\n";
  }
  void add_axes() {
    for (const double tick : ticks_) {
      out_ += "<path class=\"grid\" d=\"M" + px(kLeft) + " " + px(y(tick)) + "H" +
              px(kWidth - kRight) + "\"/>\n";
      add_text("tick", kLeft - 8, y(tick) + 4, "end", plot_.text(tick));
    }
    const double step = hour_step(end_);
    for (double hour = 0; hour <= end_ * 1.0001; hour += step) {
      out_ += "<path class=\"grid\" d=\"M" + px(x(hour)) + " " + px(kHeight - kBottom) + "v5\"/>\n";
      add_text("tick", x(hour), kHeight - kBottom + 19, "middle", count_text(hour));
    }
    add_text("tick", kWidth - kRight, kHeight - 6, "end", "hours");
    out_ += "<path class=\"axis\" d=\"M" + px(kLeft) + " " + px(kHeight - kBottom) + "H" +
            px(kWidth - kRight) + "\"/>\n";
  }
  void add_line(std::size_t index) {
    const Plot::Line& line = plot_.lines[index];
    std::string path;
    bool drawing = false;
    for (std::size_t i = 0; i < line.values.size(); ++i) {
      if (line.values[i])
        path += (drawing ? "L" : "M") + px(x(plot_.hours[i])) + " " + px(y(*line.values[i]));
      drawing = line.values[i].has_value();
    }
    if (!path.empty())
      out_ += "<path class=\"line line" + std::to_string(index) + "\" d=\"" + path + "\"/>\n";
  }
  // What a pointer shows where it stands.
  void add_values() {
    double from = 0;
    for (std::size_t i = 0; i < plot_.hours.size(); ++i) {
      std::string text = "to hour " + count_text(plot_.hours[i]);
      for (const Plot::Line& line : plot_.lines)
        text += "\n" + line.name + ": " + (line.values[i] ? plot_.text(*line.values[i]) : "none");
      out_ += "<rect class=\"hit\" x=\"" + px(x(from)) + "\" y=\"" + px(kTop) + "\" width=\"" +
              px(x(plot_.hours[i]) - x(from)) + "\" height=\"" + px(kHeight - kTop - kBottom) +
              "\"><title>" + escape(text) + "</title></rect>\n";
      from = plot_.hours[i];
    }
  }

  const Plot& plot_;
  double end_ = 1, low_ = 0, high_ = 1;
  std::vector<double> ticks_;
  std::string out_;
};

}  // namespace

std::string draw(const Plot& plot) {
  return Drawing(plot).make();
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace dunlin::simulation
