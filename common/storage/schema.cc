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
    // When readings without UTC were taken: their spans since the boot, by segment, and the anchors
    // that tell a boot's UTC. The anchor of the lowest seq counts.
    R"sql(
CREATE TABLE boot_spans(
  segment INTEGER NOT NULL REFERENCES segments(id), boot INTEGER NOT NULL,
  low INTEGER NOT NULL, high INTEGER NOT NULL, PRIMARY KEY(segment, boot)) WITHOUT ROWID;
CREATE TRIGGER segment_deleted AFTER DELETE ON segments BEGIN
  DELETE FROM boot_spans WHERE segment = OLD.id;
END;
CREATE TABLE anchors(
  node BLOB NOT NULL, epoch INTEGER NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
  boot_id TEXT NOT NULL, monotonic INTEGER NOT NULL, utc INTEGER NOT NULL,
  uncertainty INTEGER NOT NULL, PRIMARY KEY(node, epoch, boot, seq)) WITHOUT ROWID;
CREATE VIEW anchored_spans(segment, time_min, time_max) AS
  SELECT b.segment, b.low - a.monotonic + a.utc, b.high - a.monotonic + a.utc
  FROM boot_spans b JOIN segments s ON s.id = b.segment JOIN logs l ON l.id = s.log
  JOIN anchors a ON a.node = l.node AND a.epoch = l.epoch AND a.boot = b.boot;
)sql",
    // Of a fleet with an authority: what admitted a node, and the latest Revoke of one. And what
    // was refused, by the SHA-256 of its bytes.
    R"sql(
ALTER TABLE nodes ADD COLUMN certificate BLOB;
CREATE TABLE revocations(
  node BLOB PRIMARY KEY, hlc INTEGER NOT NULL, operation BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE quarantine(
  id INTEGER PRIMARY KEY, peer BLOB NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
  at INTEGER NOT NULL, times INTEGER NOT NULL DEFAULT 1, released INTEGER NOT NULL DEFAULT 0,
  hash BLOB NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE INDEX quarantine_released ON quarantine(id) WHERE released = 1;
)sql",
    // When nodes were last heard of, of which a gateway tells after a restart, too. Apart from the
    // rows of nodes, which are long: these are written every few minutes.
    R"sql(
CREATE TABLE sightings(node BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
)sql",
};

}  // namespace

std::span<const char* const> schema_steps() {
  return kSteps;
}

Result<void> check_schema(Connection& db, const std::string& path, const std::string& attached_as) {
  const std::string pragma = "PRAGMA " + attached_as + ".";
  DUNLIN_ASSIGN(const std::int64_t version, db.query_integer(pragma + "user_version"));
  DUNLIN_ASSIGN(const std::int64_t application, db.query_integer(pragma + "application_id"));
  if (version == 0 && application == 0) return {Errc::not_found, "no log is in " + path + " yet"};
  if (application != kApplicationId) {
    return {Errc::invalid_argument, path + " is a database of another program"};
  }
  if (version != static_cast<std::int64_t>(schema_steps().size())) {
    return {Errc::unsupported, path + " has schema " + std::to_string(version) +
                                   ", this program reads " + std::to_string(schema_steps().size())};
  }
  return {};
}

}  // namespace dunlin::storage
