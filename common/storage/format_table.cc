#include "common/storage/format_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace dunlin::storage {

namespace {

// The shortest digits that read back as the same number, and always recognisable as a REAL.
std::string real_text(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

struct PlainText {
  std::string operator()(std::monostate) const { return {}; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return real_text(value); }
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(const Bytes& value) const { return to_hex(value); }
};

bool is_control(unsigned char c) {
  return c < 0x20 || c == 0x7f;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // C1 controls are 0xc2 0x80 to 0xc2 0x9f in UTF-8.
    const bool c1 = c == 0xc2 && i + 1 < text.size() &&
                    (static_cast<unsigned char>(text[i + 1]) & 0xe0) == 0x80;
    if (c1) ++i;
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c1 || is_control(c)) {
      const auto code = c1 ? static_cast<std::uint8_t>(text[i]) : static_cast<std::uint8_t>(c);
      out += "\\x" + to_hex(ByteView(&code, 1));
    } else {
      out += text[i];
    }
  }
  return out;
}

// Code points: right for everything but wide and combining characters.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

bool is_number(const Value& value) {
  return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
}

std::string csv_field(const std::string& text) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

}  // namespace

std::string format_text(const Table& table) {
  std::vector<std::vector<std::string>> cells(table.rows.size() + 1);
  std::vector<std::size_t> widths;
  for (const std::string& column : table.columns) {
    cells[0].push_back(escaped(column));
    widths.push_back(width(cells[0].back()));
  }
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      cells[row + 1].push_back(escaped(std::visit(PlainText{}, table.rows[row][i])));
      widths[i] = std::max(widths[i], width(cells[row + 1].back()));
    }
  }
  std::string out;
  for (std::size_t row = 0; row < cells.size(); ++row) {
    std::string line;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const std::string padding(widths[i] - width(cells[row][i]), ' ');
      const bool right = row > 0 && is_number(table.rows[row - 1][i]);
      if (i > 0) line += "  ";
      line += right ? padding + cells[row][i] : cells[row][i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  if (table.truncated) out += "(only the first " + std::to_string(table.rows.size()) + " rows)\n";
  return out;
}

std::string format_csv(const Table& table) {
  std::string out;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    out += (i == 0 ? "" : ",") + csv_field(table.columns[i]);
  }
  out += "\r\n";
  for (const std::vector<Value>& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += ',';
      if (!std::holds_alternative<std::monostate>(row[i])) {
        out += csv_field(std::visit(PlainText{}, row[i]));
      }
    }
    out += "\r\n";
  }
  return out;
}

std::string format_json(const Table& table) {
  using Json = nlohmann::ordered_json;
  struct ToJson {
    Json operator()(std::monostate) const { return nullptr; }
    Json operator()(std::int64_t value) const { return value; }
    Json operator()(double value) const {
      return std::isfinite(value) ? Json(value) : Json(nullptr);
    }
    Json operator()(const std::string& value) const { return value; }
    Json operator()(const Bytes& value) const { return to_hex(value); }
  };
  Json json;
  json["columns"] = table.columns;
  json["rows"] = Json::array();
  for (const std::vector<Value>& row : table.rows) {
    Json items = Json::array();
    for (const Value& value : row) items.push_back(std::visit(ToJson{}, value));
    json["rows"].push_back(std::move(items));
  }
  json["truncated"] = table.truncated;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dunlin::storage
