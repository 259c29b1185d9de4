#include "common/storage/meta.h"

#include <charconv>

namespace dunlin::storage {

Result<std::string> read_meta(Connection& db, std::string_view key) {
  DUNLIN_ASSIGN(Statement select, db.prepare("SELECT value FROM meta WHERE key = ?1"));
  DUNLIN_ASSIGN(const bool known, select.bind(1, key).step());
  return known ? std::string(select.text(0)) : "";
}

Result<std::uint64_t> read_meta_number(Connection& db, std::string_view key) {
  DUNLIN_ASSIGN(const std::string text, read_meta(db, key));
  std::uint64_t number = 0;  // what is not a number counts as none
  (void)std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Result<void> write_meta(Connection& db, std::string_view key, std::string_view value) {
  DUNLIN_ASSIGN(Statement upsert,
                db.prepare("INSERT INTO meta(key, value) VALUES(?1, ?2)"
                           " ON CONFLICT(key) DO UPDATE SET value = excluded.value"));
  return upsert.bind(1, key).bind(2, value).run();
}

}  // namespace dunlin::storage
