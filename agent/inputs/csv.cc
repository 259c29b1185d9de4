#include "agent/inputs/csv.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/inputs/csv_layout.h"
#include "agent/inputs/files.h"
#include "agent/inputs/lines.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/streams.h"
#include "agent/inputs/text.h"
#include "common/base/stop_event.h"

namespace dunlin::agent {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kCsvLineBytesMax = 1 << 20;

// One run of a CSV input.
class Replay {
 public:
  Replay(const CsvOptions& options, CsvLayout layout, InputSink& sink, std::stop_token stop)
      : options_(options),
        layout_(std::move(layout)),
        sink_(sink),
        stop_(std::move(stop)),
        start_(sink.now()),
        row_(layout_.schema.fields.size()),
        batch_(layout_.schema.fields.size()),
        rounded_(layout_.schema.fields.size(), false) {}

  Result<void> run() {
    do {
      const std::uint64_t before = rows_;
      DUNLIN_TRY(pass());
      if (options_.repeat && rows_ == before && !stop_.stop_requested()) {
        return {Errc::malformed, options_.file + ": not one row could be read"};
      }
      // The next round continues one step after the last row.
      const std::int64_t step = last_us_ - before_last_us_;
      offset_us_ += last_us_ - first_us_ + (step > 0 ? step : options_.interval.count());
    } while (options_.repeat && !stop_.stop_requested());
    return {};
  }

 private:
  Result<void> pass() {
    const FileDescriptor file(open(options_.file.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return {Errc::io, options_.file + ": " + last_os_error()};
    LineSplitter lines(kCsvLineBytesMax);
    header_pending_ = options_.header;
    first_of_pass_ = true;
    Result<void> state;
    const LineSplitter::OnLine on_line = [&](std::uint64_t number, Result<std::string_view> line) {
      if (state.ok() && !stop_.stop_requested()) state = take(number, line);
    };
    std::string buffer(64 * 1024, '\0');
    while (state.ok() && !stop_.stop_requested()) {
      const ssize_t n = read(file.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return {Errc::io, options_.file + ": " + last_os_error()};
      if (n == 0) break;
      lines.feed(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)), on_line);
    }
    lines.finish(on_line);
    if (state.ok()) state = flush();
    return state;
  }

  Result<void> take(std::uint64_t number, const Result<std::string_view>& line) {
    Result<void> parsed = line.ok() ? parse(number, line.value()) : Result<void>(line.error());
    if (!parsed.ok()) {
      sink_.report(options_.file + ":" + std::to_string(number), parsed.error());
      return {};
    }
    return row_.empty() ? Result<void>() : hand_row();
  }

  // Fills row_, or leaves it empty for the header and blank lines.
  Result<void> parse(std::uint64_t number, std::string_view line) {
    row_.clear();
    if (line.empty()) return {};
    if (header_pending_) {
      header_pending_ = false;
      return {};
    }
    DUNLIN_TRY(cells_.split(line, options_.delimiter));
    const auto& cells = cells_.cells();
    if (cells.size() != layout_.cells) {
      return {Errc::malformed, std::to_string(cells.size()) + " cells where there should be " +
                                   std::to_string(layout_.cells)};
    }
    DUNLIN_ASSIGN(const std::int64_t time_us, time_of(cells));
    row_.begin_row(time_us);
    for (std::size_t i = 0; i < layout_.columns.size(); ++i) {
      bool rounded = false;
      const std::string_view cell = cells[layout_.columns[i]];
      if (Result<void> added = add_value(row_, layout_.schema.fields[i], cell, &rounded);
          !added.ok()) {
        row_.clear();
        return added;
      }
      if (rounded && layout_.inferred[i] && !rounded_[i]) {
        rounded_[i] = true;
        sink_.report(options_.file + ":" + std::to_string(number),
                     {Errc::malformed, layout_.schema.fields[i].name + ": " + excerpt(cell) +
                                           " has more digits than the rows before; rounding"});
      }
    }
    return {};
  }

  // As it stands in the file, without shift and repetition.
  Result<std::int64_t> time_of(const std::vector<std::string_view>& cells) {
    if (layout_.time_columns.empty()) {
      const auto n = static_cast<std::int64_t>(first_of_pass_ ? 0 : rows_of_pass_);
      return start_.time_us + n * options_.interval.count();
    }
    if (layout_.time_columns.size() == 1) {
      return options_.time_format->parse(cells[layout_.time_columns[0]]);
    }
    time_text_.clear();
    for (const std::size_t column : layout_.time_columns) {
      if (!time_text_.empty()) time_text_ += ' ';
      time_text_ += cells[column];
    }
    return options_.time_format->parse(time_text_);
  }

  Result<void> hand_row() {
    const std::int64_t file_us = row_.time(0);
    if (rows_ == 0) {
      begin_ = Clock::now();
      if (options_.shift_to_now && !layout_.time_columns.empty()) {
        offset_us_ = start_.time_us - file_us;
      }
    }
    if (first_of_pass_) {
      first_us_ = before_last_us_ = file_us;
      rows_of_pass_ = 0;
    } else {
      before_last_us_ = last_us_;
    }
    first_of_pass_ = false;
    last_us_ = file_us;
    const std::int64_t time_us = file_us + offset_us_;
    if (rows_ == 0) first_time_us_ = time_us;
    ++rows_;
    ++rows_of_pass_;
    if (options_.speed > 0) DUNLIN_TRY(wait_until_due(time_us));
    if (stop_.stop_requested()) return {};
    batch_.begin_row(time_us);
    for (std::size_t i = 0; i < row_.fields(); ++i) batch_.add_cell(row_, row_.cell(0, i));
    return batch_.size() >= options_.batch ? flush() : Result<void>();
  }

  Result<void> wait_until_due(std::int64_t time_us) {
    const double recorded_us = static_cast<double>(time_us - first_time_us_);
    const std::chrono::duration<double, std::micro> wait(recorded_us / options_.speed);
    constexpr std::chrono::hours kLongest(24 * 366 * 100);
    const auto due =
        begin_ + std::chrono::duration_cast<Clock::duration>(
                     std::min<std::chrono::duration<double, std::micro>>(wait, kLongest));
    const auto left = std::chrono::ceil<std::chrono::microseconds>(due - Clock::now());
    if (left.count() <= 0) return {};
    DUNLIN_TRY(flush());
    wait_for(stop_, left);
    return {};
  }

  Result<void> flush() {
    Rows rows = std::exchange(batch_, Rows(layout_.schema.fields.size()));
    const bool own_time = layout_.time_columns.empty() || options_.shift_to_now;
    return hand_over(sink_, layout_.schema, std::move(rows), own_time && start_.since_boot,
                     options_.file);
  }

  const CsvOptions& options_;
  const CsvLayout layout_;
  InputSink& sink_;
  const std::stop_token stop_;
  const Stamp start_;

  CsvRow cells_;
  Rows row_;  // the current one, or none
  Rows batch_;
  std::vector<bool> rounded_;  // fields whose rounding was reported
  std::string time_text_;
  bool header_pending_ = false;
  bool first_of_pass_ = true;
  std::uint64_t rows_ = 0, rows_of_pass_ = 0;
  std::int64_t first_us_ = 0, last_us_ = 0, before_last_us_ = 0;  // of this pass, as in the file
  std::int64_t first_time_us_ = 0;
  std::int64_t offset_us_ = 0;
  Clock::time_point begin_{};
};

class CsvInput final : public Input {
 public:
  explicit CsvInput(CsvOptions options) : options_(std::move(options)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    DUNLIN_ASSIGN(CsvLayout layout, read_csv_layout(options_));
    return unless_closed(Replay(options_, std::move(layout), sink, std::move(stop)).run());
  }

 private:
  CsvOptions options_;
};

}  // namespace

Result<std::unique_ptr<Input>> make_csv_input(config::Table& table) {
  CsvOptions options;
  options.file = table.required_text("file");
  options.stream = stream_key(table, "csv");
  options.time = table.text("time");
  auto format = TimeFormat::from(table.text("time_format", "iso8601"));
  if (format.ok()) {
    options.time_format = std::move(format).value();
  } else {
    table.mistake("time_format", format.error().context);
  }
  const std::string delimiter = table.text("delimiter", ",");
  if (delimiter.size() == 1 && delimiter != "\"" && delimiter != "\n") {
    options.delimiter = delimiter[0];
  } else {
    table.mistake("delimiter", "should be one character, and neither a quote nor a line end");
  }
  options.header = table.boolean("header", true);
  options.speed = table.real("speed", 0, 0, 1e9);
  options.repeat = table.boolean("repeat", false);
  options.shift_to_now = table.boolean("shift_to_now", false);
  options.interval = interval_key(table, std::chrono::seconds(1));
  options.batch = static_cast<std::size_t>(table.integer("batch", 500, 1, 100'000));
  config::Table columns = table.table("columns");
  for (const auto& [column, text] : columns.text_pairs()) {
    Result<FieldSpec> spec = parse_field_spec(text);
    if (spec.ok()) {
      options.columns.emplace_back(column, std::move(spec).value());
    } else {
      columns.mistake(column, spec.error().context);
    }
  }
  if (options.file.empty() || !options.time_format) {
    return Error{Errc::config, table.where("type") + ": the csv input cannot be made"};
  }
  return std::unique_ptr<Input>(std::make_unique<CsvInput>(std::move(options)));
}

}  // namespace dunlin::agent
