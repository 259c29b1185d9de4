#include "common/page/plot.h"

#include <algorithm>
#include <cmath>

#include "common/page/canvas.h"
#include "common/page/page.h"

namespace dunlin::page {

namespace {

constexpr std::size_t kColours = 8;

std::string colour(const char* kind, std::size_t index) {
  return kind + std::to_string(index % kColours);
}

class Drawing {
 public:
  explicit Drawing(const Plot& plot) : plot_(plot), canvas_(plot.frame, legend(plot)) {
    double least = 1e300, most = 0;
    for (std::size_t i = 0; i < plot.at.size(); ++i) {
      double sum = 0;
      for (const Plot::Line& line : plot.lines) {
        if (!line.values[i]) continue;
        sum += *line.values[i];
        most = std::max(most, plot.stacked ? sum : *line.values[i]);
        if (*line.values[i] > 0) least = std::min(least, *line.values[i]);
        lowest_ = std::min(lowest_, *line.values[i]);
      }
    }
    plot.ticks.empty() ? scale_linear(most) : scale_logarithmic(least, most);
  }

  std::string make() {
    if (plot_.band) add_band(*plot_.band);
    for (const double tick : ticks_) canvas_.level(y(tick), plot_.text(tick));
    canvas_.axis();
    if (plot_.stacked)
      add_areas();
    else
      for (std::size_t i = 0; i < plot_.lines.size(); ++i) add_line(i);
    add_values();
    return canvas_.finish();
  }

 private:
  void scale_linear(double most) {
    low_ = plot_.stacked ? 0 : lowest_;
    high_ = plot_.top.value_or(most > 0 ? most * 1.05 : low_ < 0 ? 0 : 1);
    const double step = step_of(high_ - low_, 5);
    low_ = std::floor(low_ / step) * step;
    if (!plot_.top) high_ = std::ceil(high_ / step) * step;
    for (double tick = low_; tick <= high_ + step / 1e4; tick += step) ticks_.push_back(tick);
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

  double y(double value) const {
    const double part = plot_.ticks.empty()
                            ? (value - low_) / (high_ - low_)
                            : std::log(std::max(value, low_) / low_) / std::log(high_ / low_);
    return canvas_.bottom() - (canvas_.bottom() - Canvas::kTop) * std::clamp(part, 0.0, 1.0);
  }

  static std::string legend(const Plot& plot) {
    std::string out = "<ul class=\"legend\">";
    for (std::size_t i = 0; i < plot.lines.size(); ++i) {
      out += "<li><span class=\"key " + colour("key", i) + (plot.stacked ? " filled" : "") +
             "\"></span>" + escape(plot.lines[i].name) + "</li>";
    }
    return out + "</ul>";
  }
  void add_band(const Plot::Band& band) {
    const double from = canvas_.x(band.from), to = canvas_.x(band.to);
    canvas_.rect("class=\"band\"", from, Canvas::kTop, to - from, canvas_.bottom() - Canvas::kTop);
    canvas_.text("name", (from + to) / 2, Canvas::kTop + 14, "middle", band.name);
  }
  void add_line(std::size_t index) {
    const Plot::Line& line = plot_.lines[index];
    std::string path;
    bool drawing = false;
    for (std::size_t i = 0; i < line.values.size(); ++i) {
      if (line.values[i])
        path += (drawing ? "L" : "M") + px(canvas_.x(plot_.at[i])) + " " + px(y(*line.values[i]));
      drawing = line.values[i].has_value();
    }
    if (!path.empty())
      canvas_.raw("<path class=\"line " + colour("line", index) + "\" d=\"" + path + "\"/>\n");
  }
  // From when there is anything; then what there is not counts as nothing.
  void add_areas() {
    const auto any = [&](std::size_t k) {
      return std::ranges::any_of(
          plot_.lines, [&](const Plot::Line& line) { return line.values[k].has_value(); });
    };
    std::size_t first = 0;
    while (first < plot_.at.size() && !any(first)) ++first;
    std::vector<double> below(plot_.at.size(), 0);
    for (std::size_t i = 0; i < plot_.lines.size(); ++i) {
      std::string there, back;
      for (std::size_t k = first; k < plot_.at.size(); ++k) {
        const std::string at = px(canvas_.x(plot_.at[k])) + " ";
        back.insert(0, "L" + at + px(y(below[k])));
        below[k] += plot_.lines[i].values[k].value_or(0);
        there += (k == first ? "M" : "L") + at + px(y(below[k]));
      }
      canvas_.raw("<path class=\"area " + colour("area", i) + "\" d=\"" + there + back + "Z\"/>\n");
    }
  }
  // What a pointer shows where it stands.
  void add_values() {
    double from = plot_.frame.across.from;
    for (std::size_t i = 0; i < plot_.at.size(); ++i) {
      std::string text = plot_.frame.across.name + " " + plot_.frame.across.text(plot_.at[i]);
      for (const Plot::Line& line : plot_.lines)
        text += "\n" + line.name + ": " + (line.values[i] ? plot_.text(*line.values[i]) : "none");
      canvas_.rect("class=\"hit\"", canvas_.x(from), Canvas::kTop,
                   canvas_.x(plot_.at[i]) - canvas_.x(from), canvas_.bottom() - Canvas::kTop, text);
      from = plot_.at[i];
    }
  }

  const Plot& plot_;
  Canvas canvas_;
  double lowest_ = 0, low_ = 0, high_ = 1;
  std::vector<double> ticks_;
};

}  // namespace

std::string draw(const Plot& plot) {
  return Drawing(plot).make();
}

}  // namespace dunlin::page
