#include "cli/authority_log.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/log/limits.h"
#include "common/replication/envelope.h"

namespace dunlin::cli {

Result<AuthorityLog> AuthorityLog::open_store(const std::string& path, const NodeId& authority) {
  storage::LogStore::Options options;
  options.path = path;
  options.fresh_epoch = Epoch{security::random_u64()};
  options.authority = authority;
  options.compaction.fan_in = 2;
  const std::unique_ptr<Verifier> verifier = security::make_mbedtls_verifier();
  DUNLIN_ASSIGN(storage::LogStore store,
                storage::LogStore::open(options, authority, *verifier, nullptr));
  return AuthorityLog(std::move(store));
}

Result<AuthorityLog> AuthorityLog::create(const std::string& path, security::NodeKey& key,
                                          UtcMicros now, const std::string& fleet) {
  if (std::filesystem::exists(path)) return {Errc::exists, path + ": the log of a fleet"};
  DUNLIN_ASSIGN(AuthorityLog log, open_store(path, key.node()));
  DUNLIN_TRY(log.append(now, Open{key.public_key(), fleet}, key));
  return log;
}

Result<AuthorityLog> AuthorityLog::open(const std::string& path, const NodeId& authority) {
  if (!std::filesystem::exists(path)) return {Errc::not_found, path + ": the authority's log"};
  DUNLIN_ASSIGN(AuthorityLog log, open_store(path, authority));
  DUNLIN_ASSIGN(const storage::LogStore::Contents contents, log.store_.load());
  if (log.store_.state({authority, contents.epoch, kControlTrack}) == nullptr)
    return {Errc::corrupt, path + ": not the log of this authority"};
  return log;
}

Result<void> AuthorityLog::append(UtcMicros now, Op op, security::NodeKey& key) {
  DUNLIN_ASSIGN(const storage::LogStore::Contents contents, store_.load());
  const LogId id{key.node(), contents.epoch, kControlTrack};
  const LogState* state = store_.state(id);
  const Hash before = state == nullptr ? chain_start(id) : state->head_hash();
  const Hlc hlc =
      std::max(Hlc::of(static_cast<std::uint64_t>(now / 1000), 0), Hlc{contents.own_hlc.value + 1});
  Chain chain;
  DUNLIN_TRY(chain.add({state == nullptr ? 1 : state->head() + 1, hlc, {std::move(op)}}, before));
  DUNLIN_ASSIGN(std::vector<SegmentRecord> segments, build_segments(id, before, 0, chain, key));
  // What others refuse to read must not be in it: it is never taken back.
  for (const SegmentRecord& segment : segments) {
    DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(*segment.bytes));
    DUNLIN_TRY(decode_segment(header));
  }
  std::uint64_t bytes = store_.log_bytes(id);
  for (const SegmentRecord& segment : segments) bytes += segment.bytes->size();
  if (bytes > kAuthorityLogBytesMax)
    return {Errc::too_large, "the authority's log is full: it has room for " +
                                 std::to_string(kAuthorityLogBytesMax) + " bytes"};
  DUNLIN_TRY(store_.commit({.segments = std::move(segments)}));
  // Each segment has a signature; what the log has room for is better spent.
  // It is written, whether they merge or not.
  while (store_.compactions_due() > 0 && store_.compact_step().ok()) {
  }
  return {};
}

Result<std::map<NodeId, Revoke>> AuthorityLog::revocations() {
  DUNLIN_ASSIGN(storage::LogStore::Contents contents, store_.load());
  std::map<NodeId, Revoke> out;
  for (auto& [hlc, revoke] : contents.revocations) out[revoke.node] = std::move(revoke);
  return out;
}

Result<Bytes> AuthorityLog::message() {
  replication::Segments message{replication::Lane::live, 0, true, {}};
  for (const LogId& log : store_.logs()) {
    DUNLIN_ASSIGN(const std::vector<StoredSegment> newest_first,
                  store_.read(log, {1, kSeqMax}, std::numeric_limits<std::uint64_t>::max()));
    for (auto it = newest_first.rbegin(); it != newest_first.rend(); ++it)
      message.segments.push_back(std::make_shared<const Bytes>(it->bytes));
  }
  return replication::encode_envelope({Nonce{security::random_u64()}, 1, std::move(message)});
}

}  // namespace dunlin::cli
