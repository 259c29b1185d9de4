#include <algorithm>
#include <cmath>

#include "common/page/canvas.h"
#include "common/page/words.h"

namespace dunlin::page {

namespace {

struct Rows {
  std::size_t first = 0, end = 0;
};

// Those that hold anything, and never less than three.
Rows rows_of(const HeatMap& map) {
  Rows rows{map.bounds.size(), 0};
  for (const std::vector<double>& column : map.cells) {
    for (std::size_t i = 0; i < column.size(); ++i) {
      if (column[i] <= 0) continue;
      rows.first = std::min(rows.first, i);
      rows.end = std::max(rows.end, i + 1);
    }
  }
  rows.first = std::min(rows.first, rows.end);
  rows.end = std::min(map.bounds.size(), std::max(rows.end, rows.first + 3));
  rows.first = std::min(rows.first, rows.end - std::min<std::size_t>(3, rows.end));
  return rows;
}

}  // namespace

std::string draw(const HeatMap& map) {
  Canvas canvas(map.frame, "");
  const Rows rows = rows_of(map);
  const double height = (canvas.bottom() - Canvas::kTop) /
                        static_cast<double>(std::max<std::size_t>(1, rows.end - rows.first));
  const auto top_of = [&](std::size_t row) {
    return canvas.bottom() - height * static_cast<double>(row - rows.first + 1);
  };
  double most = 0;
  for (const auto& column : map.cells) {
    for (const double cell : column) most = std::max(most, cell);
  }
  for (std::size_t row = rows.first; row < rows.end; ++row) {
    const bool open = std::isinf(map.bounds[row]);
    canvas.level(top_of(row), open ? "more" : map.text(map.bounds[row]));
  }
  double from = map.frame.across.from;
  for (std::size_t i = 0; i < map.at.size(); ++i) {
    for (std::size_t row = rows.first; row < rows.end; ++row) {
      const double count = map.cells[i][row];
      if (count <= 0) continue;
      const std::string lower = row == 0 ? map.text(0) : map.text(map.bounds[row - 1]);
      const std::string upper = std::isinf(map.bounds[row]) ? "more" : map.text(map.bounds[row]);
      canvas.rect("class=\"cell\" opacity=\"" + px(0.1 + 0.9 * std::sqrt(count / most)) + "\"",
                  canvas.x(from), top_of(row) + 0.5,
                  std::max(0.5, canvas.x(map.at[i]) - canvas.x(from) - 0.5), height - 1,
                  map.frame.across.name + " " + map.frame.across.text(map.at[i]) + "\n" + lower +
                      " to " + upper + ": " + count_text(count));
    }
    from = map.at[i];
  }
  canvas.axis();
  return canvas.finish();
}

}  // namespace dunlin::page
