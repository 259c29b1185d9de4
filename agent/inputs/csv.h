#pragma once

#include <memory>

#include "agent/inputs/input.h"

namespace dunlin::agent {

// type = "csv": replays a file, in constant memory whatever its size.
//
//   file          required
//   stream        "csv"
//   time          the column of the time, or several with blanks between ("date time"), joined by
//                 one blank; without it rows are `interval` apart, from now on
//   time_format   "iso8601" (default), "unix", "unix_ms", "unix_us" or a pattern; see time_format.h
//   interval      "1s"
//   [input.columns]  column = "field:type:unit"; without this table every column is taken. A type
//                 that is left out is inferred (csv_layout.h); empty cells, NA, NaN and null are
//                 missing
//   header        true: the first row names the columns, else they are column_1, column_2, ...
//   delimiter     ","
//   speed         0: as fast as the log takes them; 1: with the pauses of the recording; 2: twice
//                 as fast, ...
//   shift_to_now  false; true: all times move so that the first one is now
//   repeat        false; true: starts over at the end, the times going on
//   batch         500: rows handed over at once at speed 0
//
// Every start replays from the first row: what was appended before a restart is appended again.
//
// A malformed row is reported as "file:line" and skipped, digits beyond an inferred resolution are
// rounded and reported once a field. A missing file or column is an error of run().
Result<std::unique_ptr<Input>> make_csv_input(config::Table& table);

}  // namespace dunlin::agent
