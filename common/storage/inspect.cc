#include "common/storage/inspect.h"

#include <algorithm>

#include "common/codec/log_state_codec.h"

namespace dunlin::storage {

namespace {

// Of one file of the database.
constexpr const char* kLogs = R"sql(
SELECT l.node, ifnull(n.name, '') AS name, l.epoch, l.track, l.state,
       (SELECT ifnull(sum(readings), 0) FROM @segments s WHERE s.log = l.id) AS readings, l.bytes,
       (SELECT strftime('%Y-%m-%dT%H:%M:%SZ', min(t) / 1000000, 'unixepoch') FROM
         (SELECT min(time_min) AS t FROM @segments s WHERE s.log = l.id AND time_max >= time_min
          UNION ALL SELECT min(a.time_min) FROM @segments s JOIN @anchored_spans a
            ON a.segment = s.id WHERE s.log = l.id)) AS oldest,
       (SELECT strftime('%Y-%m-%dT%H:%M:%SZ', max(t) / 1000000, 'unixepoch') FROM
         (SELECT max(time_max) AS t FROM @segments s WHERE s.log = l.id AND time_max >= time_min
          UNION ALL SELECT max(a.time_max) FROM @segments s JOIN @anchored_spans a
            ON a.segment = s.id WHERE s.log = l.id)) AS newest
FROM @logs l LEFT JOIN @nodes n USING (node))sql";

std::string logs_of(const std::vector<std::string>& schemas) {
  std::string all =
      "SELECT lower(hex(node)), name, printf('%016x', epoch), track, state, readings, bytes,"
      " oldest, newest FROM (";
  for (const std::string& schema : schemas) {
    all += schema == schemas.front() ? "" : " UNION ALL";
    for (const char* c = kLogs; *c != 0; ++c) all += *c == '@' ? schema + "." : std::string(1, *c);
  }
  return all + ") ORDER BY node, epoch, track";
}

Value count(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

}  // namespace

Result<Table> inspect(const std::string& path) {
  DUNLIN_ASSIGN(Reader reader, Reader::open(path));
  DUNLIN_ASSIGN(Table logs, reader.query(logs_of(reader.schemas())));
  Table out{{"node", "name", "epoch", "track", "first", "last", "missing", "lost", "acked",
             "readings", "bytes", "oldest", "newest"},
            {}};
  out.truncated = logs.truncated;
  for (std::vector<Value>& row : logs.rows) {
    const Result<LogState> state = decode_log_state({}, std::get<Bytes>(row[4]));
    if (!state.ok()) return Error{Errc::corrupt, state.error().message()};
    const Seq first = state->runs().empty() ? 0 : state->runs().front().first;
    out.rows.push_back({row[0], row[1], row[2], row[3], count(first), count(state->head()),
                        count(state->missing_count()), count(state->lost().count()),
                        count(state->acked().count()), row[5], row[6], row[7], row[8]});
  }
  return out;
}

}  // namespace dunlin::storage
