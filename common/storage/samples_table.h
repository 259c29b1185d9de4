#pragma once

#include <optional>
#include <string>

#include "common/storage/catalog.h"

namespace dunlin::storage {

// Readings as SQL tables, decoded on the fly out of stored segments. Of one connection:
//
//   samples(stream, node, epoch, seq, row, time, field, value)   a line per reading and field
//   temp."stream_<name>"(node, epoch, seq, row, time, <fields>)  a line per reading
//
// node: 32 hex digits, epoch: 16. row: position of the reading among those of its stream in the
// entry, from 0. time: UTC microseconds, of readings that count from a boot by that boot's first
// TimeAnchor, and NULL while there is none: their order is epoch, seq, row. Decimals are REAL, bool
// 0 or 1, missing NULL. Equality with a stream, node, epoch, seq or time and ranges of seq and time
// leave out whole segments. Lines come by node, epoch, track, seq, row; a query that needs an order
// says so.

// What the tables of one connection share with its owner. Must outlive the connection.
struct SamplesContext {
  Connection* db = nullptr;
  const Catalog* catalog = nullptr;  // exchanged between statements only
  std::uint64_t segments_decoded = 0;
  std::optional<Error> failure;  // why a statement that read samples failed
};

// Makes `samples` and the module of the stream tables known to the connection.
Result<void> register_samples(SamplesContext& context);

// The columns of a stream's table as a CREATE TABLE statement: a table is made anew when it
// changes.
std::string stream_declaration(const Catalog::Stream& stream);
std::string create_stream_table(const Catalog::Stream& stream);
std::string drop_stream_table(std::string_view table);

}  // namespace dunlin::storage
