#include "common/storage/row_values.h"

#include <algorithm>

#include "common/codec/entry_codec.h"
#include "common/codec/segment_codec.h"

namespace dunlin::storage {

Result<LogId> read_log_id(const Statement& statement, int column) {
  LogId log;
  const ByteView node = statement.blob(column);
  if (node.size() != log.node.bytes.size()) return {Errc::corrupt, "a node id of another size"};
  std::copy(node.begin(), node.end(), log.node.bytes.begin());
  log.epoch.value = loaded(statement.integer(column + 1));
  log.track.value = loaded(statement.integer(column + 2));
  return log;
}

Error as_corrupt(const Error& error) {
  return {Errc::corrupt, error.message()};
}

Result<std::vector<Entry>> entries_of(ByteView body) {
  const Result<SegmentHeader> header = parse_segment(body);
  if (!header.ok()) return as_corrupt(header.error());
  Result<std::vector<Entry>> entries = decode_entries(*header);
  if (!entries.ok()) return as_corrupt(entries.error());
  return entries;
}

Result<Revoke> revocation_of(ByteView operation) {
  Result<Op> op = decode_op(operation);
  if (!op.ok()) return as_corrupt(op.error());
  auto* revoke = std::get_if<Revoke>(&*op);
  if (revoke == nullptr) return {Errc::corrupt, "a revocation of another kind"};
  return std::move(*revoke);
}

}  // namespace dunlin::storage
