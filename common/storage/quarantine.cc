#include "common/storage/quarantine.h"

#include <algorithm>

#include "common/base/sha256.h"
#include "common/storage/row_values.h"

namespace dunlin::storage {

namespace {

constexpr std::int64_t kItemsMax = 1000, kBytesMax = 16 * 1024 * 1024;
constexpr std::int64_t kRow = 2048;  // what an item takes besides its bytes

NodeId node_of(ByteView blob) {
  NodeId node;
  std::copy_n(blob.begin(), std::min(blob.size(), node.bytes.size()), node.bytes.begin());
  return node;
}

}  // namespace

Result<void> Quarantine::keep(const Quarantined& refused) {
  DUNLIN_ASSIGN(Statement insert,
                db_.prepare("INSERT INTO quarantine(peer, reason, detail, at, hash, body)"
                            " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(hash) DO UPDATE SET"
                            " at = excluded.at, times = times + 1, released = 0"));
  const Hash hash = sha256(*refused.bytes);
  const std::string_view reason = to_string(refused.reason);
  insert.bind(1, ByteView(refused.peer.bytes)).bind(2, reason);
  insert.bind(3, std::string_view(refused.detail)).bind(4, refused.at);
  DUNLIN_TRY(insert.bind(5, ByteView(hash)).bind(6, ByteView(*refused.bytes)).run());
  while (true) {
    DUNLIN_ASSIGN(Statement sum,
                  db_.prepare("SELECT count(*), total(length(body)) FROM quarantine"));
    DUNLIN_TRY(sum.step());
    const bool fits = sum.integer(0) <= kItemsMax && sum.integer(1) <= kBytesMax;
    sum.reset();
    if (fits) return {};
    DUNLIN_ASSIGN(Statement remove,
                  db_.prepare("DELETE FROM quarantine WHERE id = (SELECT id FROM quarantine"
                              " WHERE peer = (SELECT peer FROM quarantine GROUP BY peer"
                              " ORDER BY sum(length(body) + ?1) DESC LIMIT 1)"
                              " ORDER BY at, id LIMIT 1)"));
    DUNLIN_TRY(remove.bind(1, kRow).run());
  }
}

Result<std::vector<Quarantine::Item>> Quarantine::list() {
  DUNLIN_ASSIGN(Statement select,
                db_.prepare("SELECT * FROM"
                            " (SELECT id, peer, reason, detail, at, times, length(body), released"
                            " FROM quarantine UNION ALL"
                            " SELECT 0, node, 'fork', 'from entry ' || seq || ' on', 0, 1,"
                            " length(body), 0 FROM forks JOIN logs ON logs.id = log)"
                            " ORDER BY id = 0, id"));
  std::vector<Item> items;
  while (true) {
    DUNLIN_ASSIGN(const bool more, select.step());
    if (!more) return items;
    items.push_back({select.integer(0), node_of(select.blob(1)), std::string(select.text(2)),
                     std::string(select.text(3)), select.integer(4), loaded(select.integer(5)),
                     loaded(select.integer(6)), select.integer(7) != 0});
  }
}

Result<std::uint64_t> Quarantine::count() {
  DUNLIN_ASSIGN(const std::int64_t items, db_.query_integer("SELECT count(*) FROM quarantine"));
  return loaded(items);
}

Result<bool> Quarantine::release(std::int64_t id) {
  DUNLIN_ASSIGN(Statement update, db_.prepare("UPDATE quarantine SET released = 1 WHERE id = ?1"));
  DUNLIN_TRY(update.bind(1, id).run());
  return sqlite3_changes(db_.raw()) != 0;
}

Result<bool> Quarantine::discard(std::int64_t id) {
  DUNLIN_ASSIGN(Statement remove, db_.prepare("DELETE FROM quarantine WHERE id = ?1"));
  DUNLIN_TRY(remove.bind(1, id).run());
  return sqlite3_changes(db_.raw()) != 0;
}

Result<std::vector<Quarantined>> Quarantine::take_released() {
  std::vector<Quarantined> taken;
  {
    DUNLIN_ASSIGN(Statement select,
                  db_.prepare("SELECT peer, body FROM quarantine WHERE released = 1 ORDER BY id"));
    while (true) {
      DUNLIN_ASSIGN(const bool more, select.step());
      if (!more) break;
      const ByteView body = select.blob(1);
      taken.push_back({node_of(select.blob(0)), Errc::untrusted, "", 0,
                       std::make_shared<const Bytes>(body.begin(), body.end())});
    }
  }
  if (!taken.empty()) DUNLIN_TRY(db_.execute("DELETE FROM quarantine WHERE released = 1"));
  return taken;
}

}  // namespace dunlin::storage
