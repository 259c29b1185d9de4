#include "common/log/chain.h"

#include <algorithm>

#include "common/base/big_endian.h"
#include "common/log/entry.h"

namespace dunlin {

std::array<std::uint8_t, 32> log_id_bytes(const LogId& log) {
  std::array<std::uint8_t, 32> bytes;
  std::copy(log.node.bytes.begin(), log.node.bytes.end(), bytes.begin());
  put_be64(bytes.data() + 16, log.epoch.value);
  put_be64(bytes.data() + 24, log.track.value);
  return bytes;
}

std::string LogId::to_string() const {
  std::array<std::uint8_t, 8> epoch_bytes;
  put_be64(epoch_bytes.data(), epoch.value);
  return node.to_string() + "/" + to_hex(epoch_bytes) + "/" + std::to_string(track.value);
}

Hash chain_start(const LogId& log) {
  return sha256({as_bytes("dunlin/1 log"), log_id_bytes(log)});
}

Hash chain_next(const Hash& previous, const Hash& entry_digest) {
  return sha256({previous, entry_digest});
}

Bytes head_statement(const LogId& log, Seq last, const Hash& hash) {
  const std::string_view label = "dunlin/1 head";
  Bytes out(label.begin(), label.end());
  const auto id = log_id_bytes(log);
  out.insert(out.end(), id.begin(), id.end());
  out.resize(out.size() + 8);
  put_be64(out.data() + out.size() - 8, last);
  out.insert(out.end(), hash.begin(), hash.end());
  return out;
}

std::uint64_t count_readings(const Entry& entry) {
  std::uint64_t readings = 0;
  for (const Op& op : entry.ops) {
    if (const auto* samples = std::get_if<Samples>(&op)) readings += samples->rows.size();
  }
  return readings;
}

const Revoke::End* Revoke::end_of(const LogId& log) const {
  const auto end = std::find_if(ends.begin(), ends.end(), [&](const End& each) {
    return LogId{node, each.epoch, each.track} == log;
  });
  return end == ends.end() ? nullptr : &*end;
}

std::uint64_t count_unknown(const Entry& entry) {
  const auto unknown = [](const Op& op) { return std::holds_alternative<UnknownOp>(op); };
  return static_cast<std::uint64_t>(std::count_if(entry.ops.begin(), entry.ops.end(), unknown));
}

}  // namespace dunlin
