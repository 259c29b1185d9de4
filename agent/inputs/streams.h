#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/inputs/input.h"
#include "agent/inputs/reading.h"

namespace dunlin::agent {

// Streams that define themselves by what arrives. Each keeps its fields in first-seen order: a
// reading without one of them gets a missing value, a new one is appended. Readings gather into one
// batch per stream until flush(), in order of arrival per stream. One thread.
class SelfDefiningStreams {
 public:
  static constexpr std::size_t kStreamsMax = 4096;
  static constexpr std::size_t kTextBytesMax = 16 * 1024;  // of one value
  static constexpr std::size_t kBatchRowsMax = 1000;
  static constexpr std::size_t kBatchTextBytesMax = 32 * 1024;

  // Takes one reading; without a time it happened at `stamp`. A reading that is refused leaves
  // everything as it was: `type_changed` for a field of another type, `too_large` above a limit,
  // `malformed` for names that cannot be. Full batches go to the sink on the way, see flush().
  Result<void> add(const Reading& reading, const Stamp& stamp, InputSink& sink);

  // Hands all batches over. What the sink refuses is reported with the stream's name as its place
  // and lost; only `closed` is returned.
  Result<void> flush(InputSink& sink);

 private:
  struct Stream {
    StreamSchema schema;
    std::unordered_map<std::string, std::size_t> index;  // field name -> position
    Rows rows;
    std::size_t text_bytes = 0;
    bool since_boot = false;
    bool queued = false;  // stands in pending_
  };

  Result<void> place(Stream& stream, const Reading& reading, std::vector<Field>& added);
  Result<void> flush(Stream& stream, InputSink& sink);

  std::unordered_map<std::string, Stream> streams_;
  std::vector<Stream*> pending_;          // with rows, by first arrival
  std::vector<std::size_t> positions_;    // of the current reading's values
  std::vector<const NamedValue*> slots_;  // of the current reading by position
};

// Appends one batch; errors other than `closed` are reported with `where` and swallowed.
Result<void> hand_over(InputSink& sink, const StreamSchema& schema, Rows rows, bool since_boot,
                       const std::string& where);

}  // namespace dunlin::agent
