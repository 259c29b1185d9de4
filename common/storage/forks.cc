#include "common/storage/forks.h"

#include "common/storage/row_values.h"

namespace dunlin::storage {

namespace {

constexpr std::int64_t kBytesMax = 64 * 1024 * 1024;
constexpr std::int64_t kRow = 2048;  // what it takes besides its bytes

}  // namespace

Result<std::int64_t> Forks::room(const NodeId& node) {
  DUNLIN_ASSIGN(Statement sum, db_.prepare("SELECT total(length(body) + ?2) FROM forks"
                                           " JOIN logs ON logs.id = log WHERE node = ?1"));
  DUNLIN_TRY(sum.bind(1, ByteView(node.bytes)).bind(2, kRow).step());
  return kBytesMax - sum.integer(0);
}

Result<bool> Forks::keep(std::int64_t log, const Branch& branch, std::int64_t& room) {
  DUNLIN_ASSIGN(Statement insert,
                db_.prepare("INSERT OR IGNORE INTO forks(log, seq, hash, body)"
                            " SELECT ?1, ?2, ?3, ?4 WHERE ?5"
                            " OR NOT EXISTS(SELECT 1 FROM forks WHERE log = ?1)"));
  insert.bind(1, log).bind(2, stored(branch.seq)).bind(3, ByteView(branch.after));
  DUNLIN_TRY(insert.bind(4, branch.body).bind(5, std::int64_t{room > 0}).run());
  const bool kept = sqlite3_changes(db_.raw()) != 0;
  if (kept) room -= kRow + static_cast<std::int64_t>(branch.body.size());
  return kept;
}

Result<std::uint64_t> Forks::count() {
  DUNLIN_ASSIGN(const std::int64_t count, db_.query_integer("SELECT count(*) FROM forks"));
  return loaded(count);
}

Result<std::uint64_t> Forks::count_of(std::int64_t log) {
  DUNLIN_ASSIGN(Statement select, db_.prepare("SELECT count(*) FROM forks WHERE log = ?1"));
  DUNLIN_TRY(select.bind(1, log).step());
  return loaded(select.integer(0));
}

}  // namespace dunlin::storage
