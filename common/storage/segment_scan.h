#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/storage/catalog.h"

namespace dunlin::storage {

// What a scan may leave out. Necessary conditions only: what passes is checked again by the reader.
struct ScanFilter {
  static constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();

  std::optional<std::string> stream;
  std::optional<std::string> node;  // as Catalog::Log has them
  std::optional<std::string> epoch;
  std::int64_t seq_min = kLowest;
  std::int64_t seq_max = kHighest;
  bool timed = false;  // only readings whose UTC is known or corrected; set it with a range
  std::int64_t time_min = kLowest;
  std::int64_t time_max = kHighest;
};

// Walks the Samples in stored segments, log by log in the order of sequence numbers. Segments that
// cannot match are passed over by their index columns; their bodies are neither read nor decoded.
//
// Stored segments of a log may overlap. Ordered by their first entry, everything from there up to
// the highest entry seen was in an earlier one, so each entry is taken from the first segment that
// has it. A filter does not change which one: the segments that it passes over hold no match.
class SegmentScan {
 public:
  // `decoded` counts decoded segments. Both must outlive the scan.
  SegmentScan(Connection& db, std::uint64_t& decoded) : db_(&db), decoded_(&decoded) {}

  // Starts again from the front; `catalog` must outlive the walk.
  Result<void> start(const Catalog& catalog, ScanFilter filter);
  // Moves to the next Samples that may match and hold readings of a known definition; false at the
  // end. `corrupt` when a segment does not read back; the scan is over then.
  Result<bool> next();

  // After next() said true. References stay valid until the next call of it.
  const Catalog::Log& log() const { return *log_; }
  const Entry& entry() const { return entries_[entry_]; }
  const Samples& samples() const { return *samples_; }
  const Catalog::Shape& shape() const { return *shape_; }
  // The UTC of a reading: as it stands, or by its boot's anchor; nothing while that is unknown.
  std::optional<UtcMicros> time(std::size_t row) const;
  // The position of the first of these readings among those of its stream in the entry.
  std::uint64_t first_row() const { return first_row_; }
  std::int64_t segment_id() const { return segment_id_; }
  // How many cells stand in front of these Samples in the segment.
  std::uint64_t cells_before() const { return cells_before_; }

 private:
  bool next_samples();
  Result<bool> next_log();
  Result<bool> next_segment();
  Result<bool> has_wanted_stream(ByteView streams) const;
  Result<void> load(std::int64_t segment, Seq first, Seq last);
  void begin_entry(std::size_t entry);

  // Of one shard.
  struct Statements {
    Statement segments, body;
  };
  Result<Statements*> statements_of(std::size_t shard);

  Connection* db_;
  std::uint64_t* decoded_;
  std::map<std::size_t, Statements> statements_;
  Statements* here_ = nullptr;  // of log_

  const Catalog* catalog_ = nullptr;
  ScanFilter filter_;
  std::size_t next_log_ = 0;
  const Catalog::Log* log_ = nullptr;
  std::vector<std::uint64_t> wanted_ids_;  // of log_, when the filter names a stream
  Seq seen_ = 0;                           // the highest entry of log_ that was passed

  std::int64_t segment_id_ = -1;  // whose entries these are, kept over start()
  std::vector<Entry> entries_;
  Seq take_from_ = 0;  // entries of the segment below it were taken from another one
  std::size_t entry_ = 0;
  std::size_t op_ = 0;
  std::uint64_t cells_ = 0;
  struct StreamRows {
    const Catalog::Stream* stream;
    std::uint64_t rows;
  };
  std::vector<StreamRows> entry_rows_;

  const Samples* samples_ = nullptr;
  const Catalog::Shape* shape_ = nullptr;
  std::optional<UtcMicros> started_;  // what the times of samples_ count from
  std::uint64_t first_row_ = 0;
  std::uint64_t cells_before_ = 0;
};

}  // namespace dunlin::storage
