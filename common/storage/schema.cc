#include "common/storage/schema.h"

namespace dunlin::storage {

namespace {

// epoch: the 64 bits of the number as a signed integer. state: encode_log_state(). streams: the
// Define ids inside, as CBOR [* uint]. definition: the canonical Define operation. Times are UTC
// microseconds; time_max < time_min where no reading of the segment knows its time.
constexpr const char* kSteps[] = {
    R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE nodes(
  node BLOB PRIMARY KEY, public_key BLOB NOT NULL, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE logs(
  id INTEGER PRIMARY KEY, node BLOB NOT NULL, epoch INTEGER NOT NULL, track INTEGER NOT NULL,
  bytes INTEGER NOT NULL, segments INTEGER NOT NULL, state BLOB NOT NULL,
  UNIQUE(node, epoch, track));
CREATE TABLE segments(
  id INTEGER PRIMARY KEY, log INTEGER NOT NULL REFERENCES logs(id),
  first INTEGER NOT NULL, last INTEGER NOT NULL,
  time_min INTEGER NOT NULL, time_max INTEGER NOT NULL, readings INTEGER NOT NULL,
  streams BLOB NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX segments_by_log ON segments(log, first, last);
CREATE TABLE streams(
  node BLOB NOT NULL, epoch INTEGER NOT NULL, id INTEGER NOT NULL,
  version INTEGER NOT NULL, name TEXT NOT NULL, definition BLOB NOT NULL,
  PRIMARY KEY(node, epoch, id)) WITHOUT ROWID;
CREATE TABLE forks(
  log INTEGER NOT NULL REFERENCES logs(id), seq INTEGER NOT NULL, hash BLOB NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY(log, seq, hash)) WITHOUT ROWID;
)sql",
};

}  // namespace

std::span<const char* const> schema_steps() {
  return kSteps;
}

}  // namespace dunlin::storage
