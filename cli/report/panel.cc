#include "cli/report/panel.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <limits>

#include "common/page/page.h"
#include "common/page/plot.h"
#include "common/page/words.h"

namespace dunlin::cli {

namespace {

using page::escape;
using Text = std::string (*)(double);

std::string per_second_text(double value) {
  if (value != 0 && std::abs(value) < 0.1) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2g/s", value);
    return text;
  }
  return page::count_text(value) + "/s";
}
std::string byte_rate_text(double value) {
  return page::bytes_text(value) + "/s";
}

Text text_of(Panel::Unit unit) {
  static constexpr Text kTexts[] = {page::count_text, per_second_text, page::seconds_text,
                                    page::bytes_text, byte_rate_text,  page::percent_text};
  return kTexts[static_cast<std::size_t>(unit)];
}

std::string value_text(const Panel& panel, double value) {
  const auto word = static_cast<std::size_t>(std::max(0.0, value));
  return word < panel.words.size() ? panel.words[word] : text_of(panel.unit)(value);
}

const char* level_of(const Panel& panel, double value) {
  if (panel.bad && value >= *panel.bad) return "bad";
  if (panel.bad_below && value < *panel.bad_below) return "bad";
  if (panel.warn && value >= *panel.warn) return "warn";
  if (panel.warn_below && value < *panel.warn_below) return "warn";
  const bool any = panel.bad || panel.bad_below || panel.warn || panel.warn_below;
  return any ? "good" : "plain";
}

std::string opened(const Panel& panel, const char* kind) {
  return "<div class=\"" + std::string(kind) + "\" style=\"--w:" + std::to_string(panel.width) +
         "\">";
}

std::string card(const Panel& panel, const char* kind, const std::string& content) {
  return opened(panel, kind) + "<div class=\"card\"><h3>" + escape(panel.title) + "</h3>" +
         content + "</div></div>\n";
}

std::string about(const Panel& panel) {
  return "<div class=\"about\">" + escape(panel.about) + "</div>";
}

struct Last {
  std::string name;
  double value = 0;
};

std::vector<Last> last_values(const Panel& panel, const std::vector<Curves>& values) {
  std::vector<Last> out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (const Curve& curve : values[i].curves) {
      if (!curve.values.empty() && curve.values.back())
        out.push_back({name_of(panel.series[i], curve.labels), *curve.values.back()});
    }
  }
  return out;
}

// Numbers in names by their size: 60s before 600s.
bool by_name(const page::Plot::Line& a, const page::Plot::Line& b) {
  const auto digits_from = [](const std::string& text, std::size_t at) {
    return text.find_first_not_of("0123456789", at) - at;
  };
  const auto [x, y] = std::ranges::mismatch(a.name, b.name);
  std::size_t at = static_cast<std::size_t>(x - a.name.begin());
  while (at > 0 && std::isdigit(static_cast<unsigned char>(a.name[at - 1])) != 0) --at;
  const std::size_t of_a = digits_from(a.name, at), of_b = digits_from(b.name, at);
  return of_a > 0 && of_b > 0 && of_a != of_b ? of_a < of_b : a.name < b.name;
}

std::string numbers(const Panel& panel, const std::vector<Last>& values) {
  std::string out;
  for (const Last& each : values) {
    out += "<div class=\"value " + std::string(panel.words.empty() ? "" : "word ") +
           level_of(panel, each.value) + "\">" + escape(value_text(panel, each.value));
    if (!each.name.empty()) out += "<small>" + escape(each.name) + "</small>";
    out += "</div>";
  }
  return card(panel, "number", out + about(panel));
}

std::string bars(const Panel& panel, std::vector<Last> values) {
  std::ranges::stable_sort(values, std::ranges::greater(), &Last::value);
  double most = 0;
  for (const Last& each : values) most = std::max(most, std::abs(each.value));
  std::string out = about(panel) + "<div class=\"bars\">";
  for (const Last& each : values) {
    char width[16];
    std::snprintf(width, sizeof width, "%.1f%%", most > 0 ? 100 * std::abs(each.value) / most : 0);
    out += "<span>" + escape(each.name) + "</span><div class=\"bar\"><i class=\"" +
           level_of(panel, each.value) + "\" style=\"width:" + width + "\"></i></div><span>" +
           escape(value_text(panel, each.value)) + "</span>";
  }
  return card(panel, "ranking", out + "</div>");
}

page::Frame frame_of(const Panel& panel, std::pair<double, double> range) {
  constexpr double kColumn = 48;  // of 24
  return {panel.title, panel.about, page::clock_axis(range.first, range.second),
          kColumn * static_cast<double>(panel.width)};
}

std::string lines(const Panel& panel, const std::vector<Curves>& values,
                  std::pair<double, double> range) {
  page::Plot plot{.frame = frame_of(panel, range), .text = text_of(panel.unit)};
  plot.stacked = panel.kind == Panel::Kind::stack;
  plot.at = values.front().at;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (const Curve& curve : values[i].curves)
      plot.lines.push_back({name_of(panel.series[i], curve.labels), curve.values});
  }
  std::ranges::stable_sort(plot.lines, by_name);
  return opened(panel, "graph") + page::draw(plot) + "</div>\n";
}

// Buckets say how much was up to their bound; cells what was between two.
std::string heat_map(const Panel& panel, const Curves& buckets, std::pair<double, double> range) {
  page::HeatMap map{.frame = frame_of(panel, range), .at = buckets.at, .text = text_of(panel.unit)};
  std::map<double, const Curve*> by_bound;
  for (const Curve& curve : buckets.curves) {
    const auto le = curve.labels.find("le");
    if (le == curve.labels.end()) continue;
    by_bound[le->second == "+Inf" ? std::numeric_limits<double>::infinity()
                                  : std::strtod(le->second.c_str(), nullptr)] = &curve;
  }
  for (const auto& [bound, curve] : by_bound) map.bounds.push_back(bound);
  double before = range.first;
  for (std::size_t i = 0; i < map.at.size(); ++i) {
    std::vector<double> column;
    double below = 0;
    for (const auto& [bound, curve] : by_bound) {
      const double up_to = curve->values[i].value_or(0);
      column.push_back(std::max(0.0, up_to - below) * std::max(1.0, map.at[i] - before));
      below = std::max(below, up_to);
    }
    map.cells.push_back(std::move(column));
    before = map.at[i];
  }
  return opened(panel, "graph") + page::draw(map) + "</div>\n";
}

}  // namespace

std::string draw_panel(const Panel& panel, const std::vector<Curves>& values,
                       std::pair<double, double> range) {
  const bool empty =
      std::ranges::all_of(values, [](const Curves& each) { return each.curves.empty(); });
  if (empty) return card(panel, "without", about(panel) + "<div class=\"empty\">no values</div>");
  switch (panel.kind) {
    case Panel::Kind::number:
      return numbers(panel, last_values(panel, values));
    case Panel::Kind::bars:
      return bars(panel, last_values(panel, values));
    case Panel::Kind::heatmap:
      return heat_map(panel, values.front(), range);
    case Panel::Kind::lines:
    case Panel::Kind::stack:
      return lines(panel, values, range);
  }
  return {};
}

}  // namespace dunlin::cli
