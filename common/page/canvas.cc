#include "common/page/canvas.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "common/page/page.h"
#include "common/page/words.h"

namespace dunlin::page {

namespace {

std::vector<double> ticks_of(double from, double to, double step) {
  std::vector<double> ticks;
  for (double tick = std::ceil(from / step) * step; tick <= to + step / 1e4; tick += step)
    ticks.push_back(tick);
  return ticks;
}

double first_fitting(double span, int ticks_max, const std::vector<double>& steps) {
  const auto fits = [&](double step) { return span / step <= ticks_max; };
  const auto step = std::ranges::find_if(steps, fits);
  return step != steps.end() ? *step : step_of(span / steps.back(), ticks_max) * steps.back();
}

}  // namespace

std::string px(double value) {
  const long tenths = std::lround(value * 10);
  return std::to_string(tenths / 10) + "." + std::to_string(std::abs(tenths % 10));
}

double step_of(double span, int steps_max) {
  const double step = std::pow(10, std::floor(std::log10(span / steps_max)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (span / (step * factor) <= steps_max) return step * factor;
  }
  return step * 10;
}

Axis hours_axis(double hours) {
  const double step =
      first_fitting(hours, 10, {0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0, 168.0});
  return {0, hours, ticks_of(0, hours, step), count_text, "hours"};
}

Axis clock_axis(double from, double to) {
  const double step = first_fitting(
      to - from, 5,
      {5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10'800, 21'600, 43'200, 86'400});
  const char* const format = step < 60 ? "second" : step < 86'400 ? "minute" : "day";
  const auto text = [kind = format[0]](double at) {
    const std::chrono::sys_seconds time{std::chrono::seconds(std::llround(at))};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::hh_mm_ss clock(time - day);
    const std::chrono::year_month_day date(day);
    char out[32];
    if (kind == 'd')
      std::snprintf(out, sizeof out, "%02u-%02u", unsigned(date.month()), unsigned(date.day()));
    else if (kind == 'm')
      std::snprintf(out, sizeof out, "%02d:%02d", int(clock.hours().count()),
                    int(clock.minutes().count()));
    else
      std::snprintf(out, sizeof out, "%02d:%02d:%02d", int(clock.hours().count()),
                    int(clock.minutes().count()), int(clock.seconds().count()));
    return std::string(out);
  };
  return {from, to, ticks_of(from, to, step), text, "UTC"};
}

Canvas::Canvas(const Frame& frame, const std::string& legend) : frame_(frame) {
  out_ = "<figure class=\"plot\"><figcaption><h3>" + escape(frame.title) + "</h3><p>" +
         escape(frame.about) + "</p>" + legend + "</figcaption>\n<svg viewBox=\"0 0 " +
         px(frame.width) + " " + px(kHeight) + "\" role=\"img\" aria-label=\"" +
         escape(frame.title) + "\">\n";
}

std::string Canvas::finish() {
  return out_ + "</svg></figure>\n";
}

double Canvas::x(double at) const {
  const Axis& across = frame_.across;
  return kLeft + (right() - kLeft) * (at - across.from) / std::max(1e-9, across.to - across.from);
}

void Canvas::rect(const std::string& attributes, double left, double top, double width,
                  double height, const std::string& told) {
  out_ += "<rect " + attributes + " x=\"" + px(left) + "\" y=\"" + px(top) + "\" width=\"" +
          px(width) + "\" height=\"" + px(height);
  out_ += told.empty() ? "\"/>\n" : "\"><title>" + escape(told) + "</title></rect>\n";
}

void Canvas::text(const char* kind, double at_x, double at_y, const char* anchor,
                  const std::string& text) {
  out_ += std::string("<text class=\"") + kind + "\" x=\"" + px(at_x) + "\" y=\"" + px(at_y) +
          "\" text-anchor=\"" + anchor + "\">" + escape(text) + "</text>\n";
}

void Canvas::level(double y, const std::string& label) {
  out_ += "<path class=\"grid\" d=\"M" + px(kLeft) + " " + px(y) + "H" + px(right()) + "\"/>\n";
  text("tick", kLeft - 8, y + 4, "end", label);
}

void Canvas::axis() {
  for (const double tick : frame_.across.ticks) {
    out_ += "<path class=\"grid\" d=\"M" + px(x(tick)) + " " + px(bottom()) + "v5\"/>\n";
    text("tick", x(tick), bottom() + 19, "middle", frame_.across.text(tick));
  }
  text("tick", right(), kHeight - 6, "end", frame_.across.name);
  out_ +=
      "<path class=\"axis\" d=\"M" + px(kLeft) + " " + px(bottom()) + "H" + px(right()) + "\"/>\n";
}

}  // namespace dunlin::page
