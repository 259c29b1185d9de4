#include "common/storage/forget.h"

#include <filesystem>
#include <vector>

#include "common/storage/meta.h"
#include "common/storage/row_values.h"
#include "common/storage/schema.h"

namespace dunlin::storage {

namespace {

constexpr const char* kLogs =
    "SELECT l.id, l.node, l.epoch, l.track, n.public_key, n.name, n.certificate"
    " FROM logs l LEFT JOIN nodes n ON n.node = l.node";

// Boot spans go with their segments. What was said of a node goes with its last log.
constexpr const char* kDeletions[] = {
    "DELETE FROM segments WHERE log = ?1",
    "DELETE FROM forks WHERE log = ?1",
    "DELETE FROM logs WHERE id = ?1",
};
constexpr const char* kDeletionsOfNodes[] = {
    "DELETE FROM streams WHERE node NOT IN (SELECT node FROM logs)",
    "DELETE FROM anchors WHERE node NOT IN (SELECT node FROM logs)",
    "DELETE FROM nodes WHERE node NOT IN (SELECT node FROM logs)",
};

Bytes copied(ByteView bytes) {
  return Bytes(bytes.begin(), bytes.end());
}

Result<std::vector<std::int64_t>> find(
    Connection& db, const std::string& own,
    const std::function<bool(const LogId&, const KnownNode&)>& unwanted) {
  std::vector<std::int64_t> found;
  DUNLIN_ASSIGN(Statement logs, db.prepare(kLogs));
  while (true) {
    DUNLIN_ASSIGN(const bool more, logs.step());
    if (!more) return found;
    DUNLIN_ASSIGN(const LogId log, read_log_id(logs, 1));
    const KnownNode node{log.node, copied(logs.blob(4)), std::string(logs.text(5)),
                         copied(logs.blob(6))};
    const bool ours = own.find(log.node.to_string()) != std::string::npos;
    if (!ours && unwanted(log, node)) found.push_back(logs.integer(0));
  }
}

}  // namespace

Result<std::string> noted_interest(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::string();
  DUNLIN_ASSIGN(Connection db, Connection::open(path, SQLITE_OPEN_READWRITE));
  DUNLIN_TRY(check_schema(db, path, "main"));
  return read_meta(db, "interest");
}

Result<void> note_interest(const std::string& path, const NodeId& self,
                           const std::string& interest) {
  DUNLIN_ASSIGN(Connection db, Connection::open(path, SQLITE_OPEN_READWRITE));
  DUNLIN_ASSIGN(std::string own, read_meta(db, "own_nodes"));
  DUNLIN_ASSIGN(const std::string former, read_meta(db, "interest"));
  const bool known = own.find(self.to_string()) != std::string::npos;
  if (known && former == interest) return {};
  if (!known) own += (own.empty() ? "" : " ") + self.to_string();
  if (former.empty()) {
    DUNLIN_ASSIGN(Statement nodes, db.prepare("SELECT DISTINCT lower(hex(node)) FROM logs"));
    while (true) {
      DUNLIN_ASSIGN(const bool more, nodes.step());
      if (!more) break;
      if (own.find(nodes.text(0)) == std::string::npos) own += " " + std::string(nodes.text(0));
    }
  }
  DUNLIN_TRY(db.execute("PRAGMA synchronous = FULL"));
  DUNLIN_TRY(write_meta(db, "own_nodes", own));
  return write_meta(db, "interest", interest);
}

Result<std::size_t> forget_logs(const std::string& path, const NodeId& self,
                                const std::string& interest,
                                const std::function<bool(const LogId&, const KnownNode&)>& unwanted,
                                std::function<void()> on_progress) {
  if (!std::filesystem::exists(path)) return std::size_t{0};
  DUNLIN_ASSIGN(Connection db, Connection::open(path, SQLITE_OPEN_READWRITE));
  DUNLIN_TRY(check_schema(db, path, "main"));
  DUNLIN_ASSIGN(const std::string own, read_meta(db, "own_nodes"));
  DUNLIN_ASSIGN(const std::string former, read_meta(db, "interest"));
  // Of another key, what is here may be all that there is.
  if (own.find(self.to_string()) == std::string::npos || former == interest) return std::size_t{0};
  DUNLIN_TRY(db.execute("PRAGMA synchronous = FULL"));
  // Debian's SQLite would write zeros over all of it, and then move them in one step from the WAL.
  DUNLIN_TRY(db.query_integer("PRAGMA secure_delete = FAST"));
  db.on_progress(std::move(on_progress));
  DUNLIN_ASSIGN(const std::vector<std::int64_t> logs, find(db, own, unwanted));
  for (const std::int64_t log : logs) {
    DUNLIN_ASSIGN(Transaction transaction, Transaction::begin(db));
    for (const char* sql : kDeletions) {
      DUNLIN_ASSIGN(Statement statement, db.prepare(sql));
      DUNLIN_TRY(statement.bind(1, log).run());
    }
    DUNLIN_TRY(transaction.commit());
  }
  DUNLIN_ASSIGN(Transaction transaction, Transaction::begin(db));
  for (const char* sql : kDeletionsOfNodes) DUNLIN_TRY(db.execute(sql));
  DUNLIN_TRY(transaction.commit());
  return logs.size();
}

}  // namespace dunlin::storage
