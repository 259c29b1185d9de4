#include "common/storage/segment_scan.h"

#include <algorithm>

#include "common/codec/cbor.h"
#include "common/codec/segment_codec.h"
#include "common/log/limits.h"
#include "common/storage/shard_files.h"

namespace dunlin::storage {

Result<void> SegmentScan::start(const Catalog& catalog, ScanFilter filter) {
  if (here_ != nullptr) here_->segments.reset();
  here_ = nullptr;
  catalog_ = &catalog;
  filter_ = std::move(filter);
  next_log_ = 0;
  log_ = nullptr;
  entry_ = entries_.size();
  samples_ = nullptr;
  return {};
}

Result<SegmentScan::Statements*> SegmentScan::statements_of(std::size_t shard) {
  const auto [at, fresh] = statements_.try_emplace(shard);
  Statements& both = at->second;
  if (!fresh) return &both;
  const std::string schema = schema_of(shard) + ".";
  // No segment is longer than the format allows, which bounds where the index is entered. A
  // segment none of whose readings came with its UTC has time_max < time_min; the anchors of
  // their boots may tell it.
  DUNLIN_ASSIGN(both.segments,
                db_->prepare("SELECT id, first, last, streams FROM " + schema +
                             "segments s"
                             " WHERE log = ?1 AND first BETWEEN ?2 AND ?3 AND last >= ?4 AND"
                             " (NOT ?5 OR (time_min <= time_max AND time_max >= ?6 AND time_min"
                             " <= ?7) OR EXISTS (SELECT 1 FROM " +
                             schema +
                             "anchored_spans a WHERE a.segment = s.id AND a.time_max >= ?6"
                             " AND a.time_min <= ?7))"
                             " ORDER BY log, first, last"));
  DUNLIN_ASSIGN(both.body, db_->prepare("SELECT body FROM " + schema + "segments WHERE id = ?1"));
  return &both;
}

Result<bool> SegmentScan::next() {
  while (!next_samples()) {
    if (log_ == nullptr) {
      DUNLIN_ASSIGN(const bool more, next_log());
      if (!more) return false;
    }
    DUNLIN_ASSIGN(const bool found, next_segment());
    if (!found) log_ = nullptr;
  }
  return true;
}

std::optional<UtcMicros> SegmentScan::time(std::size_t row) const {
  UtcMicros time = 0;
  if (!started_ || __builtin_add_overflow(samples_->rows.time(row), *started_, &time))
    return std::nullopt;
  return time;
}

void SegmentScan::begin_entry(std::size_t entry) {
  entry_ = entry;
  op_ = 0;
  entry_rows_.clear();
}

bool SegmentScan::next_samples() {
  for (; entry_ < entries_.size(); begin_entry(entry_ + 1)) {
    const Entry& entry = entries_[entry_];
    const auto seq = static_cast<std::int64_t>(entry.seq);
    const bool wanted = entry.seq >= take_from_ && entry.seq <= log_->last &&
                        seq >= filter_.seq_min && seq <= filter_.seq_max;
    while (op_ < entry.ops.size()) {
      const auto* samples = std::get_if<Samples>(&entry.ops[op_++]);
      if (samples == nullptr || samples->rows.empty()) continue;
      cells_before_ = cells_;
      cells_ += samples->rows.size() * (samples->rows.fields() + 1);
      if (!wanted) continue;
      const auto shape = log_->definitions->find(samples->stream);
      if (shape == log_->definitions->end()) continue;

      const Catalog::Stream* stream = shape->second->stream;
      if (filter_.stream && stream->name != *filter_.stream) continue;
      auto rows = std::find_if(entry_rows_.begin(), entry_rows_.end(),
                               [&](const StreamRows& known) { return known.stream == stream; });
      if (rows == entry_rows_.end()) rows = entry_rows_.insert(rows, {stream, 0});
      first_row_ = rows->rows;
      rows->rows += samples->rows.size();
      started_ = 0;
      if (samples->boot) {
        const auto boot = log_->boots->find(*samples->boot);
        if (boot != log_->boots->end()) {
          started_ = boot->second;
        } else if (filter_.timed) {
          continue;
        } else {
          started_.reset();
        }
      }
      samples_ = samples;
      shape_ = shape->second;
      return true;
    }
  }
  return false;
}

Result<bool> SegmentScan::next_log() {
  while (next_log_ < catalog_->logs().size()) {
    const Catalog::Log& log = catalog_->logs()[next_log_++];
    if (filter_.node && *filter_.node != log.node) continue;
    if (filter_.epoch && *filter_.epoch != log.epoch) continue;
    wanted_ids_.clear();
    if (filter_.stream) {
      for (const auto& [id, shape] : *log.definitions) {
        if (shape->stream->name == *filter_.stream) wanted_ids_.push_back(id);
      }
      if (wanted_ids_.empty()) continue;
    }
    log_ = &log;
    seen_ = 0;
    const auto longest = static_cast<std::int64_t>(kSegmentEntriesMax);
    const std::int64_t from = std::max<std::int64_t>(filter_.seq_min, longest) - longest;
    DUNLIN_ASSIGN(here_, statements_of(shard_of_id(log.id)));
    here_->segments.bind(1, log.id).bind(2, from).bind(3, filter_.seq_max);
    here_->segments.bind(4, filter_.seq_min).bind(5, std::int64_t{filter_.timed});
    here_->segments.bind(6, filter_.time_min).bind(7, filter_.time_max);
    return true;
  }
  return false;
}

Result<bool> SegmentScan::next_segment() {
  while (true) {
    DUNLIN_ASSIGN(const bool more, here_->segments.step());
    if (!more) return false;
    const auto first = static_cast<Seq>(here_->segments.integer(1));
    const auto last = static_cast<Seq>(here_->segments.integer(2));
    if (last <= seen_) continue;
    if (filter_.stream) {
      DUNLIN_ASSIGN(const bool wanted, has_wanted_stream(here_->segments.blob(3)));
      if (!wanted) continue;
    }
    DUNLIN_TRY(load(here_->segments.integer(0), first, last));
    take_from_ = std::max(first, seen_ + 1);
    seen_ = last;
    cells_ = 0;
    begin_entry(0);
    return true;
  }
}

Result<bool> SegmentScan::has_wanted_stream(ByteView streams) const {
  CborReader reader(streams);
  const Result<std::uint64_t> count = reader.array();
  for (std::uint64_t i = 0; count.ok() && i < *count; ++i) {
    const Result<std::uint64_t> id = reader.uint();
    if (!id.ok()) break;
    if (std::binary_search(wanted_ids_.begin(), wanted_ids_.end(), *id)) return true;
  }
  if (count.ok() && reader.at_end()) return false;
  return Error{Errc::corrupt, "the stream list of a segment of log " + log_->log.to_string()};
}

// Decodes a segment, unless it is the one at hand: a join asks for the same one many times.
Result<void> SegmentScan::load(std::int64_t segment, Seq first, Seq last) {
  if (segment == segment_id_) return {};
  segment_id_ = -1;
  entries_.clear();
  entry_ = 0;
  const auto damaged = [&](const std::string& what) {
    return Error{Errc::corrupt, "segment " + std::to_string(first) + ".." + std::to_string(last) +
                                    " of log " + log_->log.to_string() + ": " + what};
  };
  here_->body.bind(1, segment);
  DUNLIN_ASSIGN(const bool found, here_->body.step());
  if (!found) return damaged("its body is gone");
  const Result<SegmentHeader> header = parse_segment(here_->body.blob(0));
  Result<std::vector<Entry>> entries =
      header.ok() ? decode_entries(*header) : Result<std::vector<Entry>>(header.error());
  here_->body.reset();  // header.payload is gone with it
  if (!entries.ok()) return damaged(entries.error().message());
  if (header->log != log_->log || header->first != first || header->last != last) {
    return damaged("another segment stands in its place");
  }
  *decoded_ += 1;
  entries_ = *std::move(entries);
  segment_id_ = segment;
  return {};
}

}  // namespace dunlin::storage
