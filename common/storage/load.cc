// What the replica starts from, as the file says it.
#include <algorithm>

#include "common/codec/log_state_codec.h"
#include "common/codec/segment_codec.h"
#include "common/storage/log_store.h"
#include "common/storage/meta.h"
#include "common/storage/row_values.h"
#include "common/storage/shard_files.h"

namespace dunlin::storage {

Result<void> LogStore::load_rows() {
  DUNLIN_ASSIGN(Statement select,
                db_.prepare("SELECT id, node, epoch, track, bytes, segments, state FROM logs"));
  while (true) {
    DUNLIN_ASSIGN(const bool more, select.step());
    if (!more) return {};
    DUNLIN_ASSIGN(const LogId log, read_log_id(select, 1));
    Result<LogState> state = decode_log_state(log, select.blob(6));
    if (!state.ok()) return as_corrupt(state.error());
    LogRow row{select.integer(0), *std::move(state), loaded(select.integer(4)),
               loaded(select.integer(5))};
    if (shard_of_id(row.id) != options_.shard)
      return {Errc::invalid_argument, options_.path + " was another shard's file"};
    compactor_.opened(log, row.segments, row.bytes);
    adopt(std::move(row));
  }
}

Result<LogStore::Contents> LogStore::load() {
  Contents contents{
      .epoch = epoch_, .logs = {}, .nodes = {}, .own_streams = {}, .own_lost = {}, .own_hlc = {}};
  for (const auto& [log, row] : rows_) contents.logs.push_back(row.state);

  DUNLIN_ASSIGN(Statement nodes,
                db_.prepare("SELECT node, public_key, name, certificate, ifnull(at, 0)"
                            " FROM nodes LEFT JOIN sightings USING(node)"));
  while (true) {
    DUNLIN_ASSIGN(const bool more, nodes.step());
    if (!more) break;
    KnownNode known;
    const ByteView id = nodes.blob(0);
    if (id.size() != known.node.bytes.size()) return {Errc::corrupt, "a node id of another size"};
    std::copy(id.begin(), id.end(), known.node.bytes.begin());
    const ByteView key = nodes.blob(1);
    known.public_key.assign(key.begin(), key.end());
    known.name = nodes.text(2);
    const ByteView certificate = nodes.blob(3);
    known.certificate.assign(certificate.begin(), certificate.end());
    known.last_seen = nodes.integer(4);
    contents.nodes.push_back(std::move(known));
  }

  for (const auto& [log, row] : rows_) {
    if (log.node == node_ && log.track == kControlTrack)
      DUNLIN_TRY(load_own_control(row, contents));
  }
  for (const auto& [log, row] : rows_) {
    if (!is_own(log) || row.state.head() == 0) continue;
    DUNLIN_ASSIGN(const std::vector<StoredSegment> newest,
                  read(log, {row.state.head(), row.state.head()}, 0));
    if (newest.empty()) continue;
    const Result<SegmentHeader> header = parse_segment(newest.front().bytes);
    if (!header.ok()) return as_corrupt(header.error());
    const Result<DecodedSegment> decoded = decode_segment(*header);
    if (!decoded.ok()) return as_corrupt(decoded.error());
    contents.own_hlc = std::max(contents.own_hlc, decoded->info.hlc_last);
  }
  DUNLIN_ASSIGN(const std::uint64_t kept_hlc, read_meta_number(db_, "hlc"));
  contents.own_hlc = std::max(contents.own_hlc, Hlc{kept_hlc});
  own_hlc_ = std::max(own_hlc_, contents.own_hlc);
  DUNLIN_ASSIGN(contents.own_timeless_boot, read_meta_number(db_, "timeless_boot"));
  DUNLIN_ASSIGN(Statement forks, db_.prepare("SELECT DISTINCT node, epoch, track FROM logs"
                                             " JOIN forks ON log = logs.id"));
  while (true) {
    DUNLIN_ASSIGN(const bool more, forks.step());
    if (!more) break;
    DUNLIN_ASSIGN(const LogId log, read_log_id(forks, 0));
    contents.forked.push_back(log);
  }
  DUNLIN_ASSIGN(Statement revocations, db_.prepare("SELECT operation, hlc FROM revocations"));
  while (true) {
    DUNLIN_ASSIGN(const bool more, revocations.step());
    if (!more) break;
    DUNLIN_ASSIGN(const Revoke revoke, revocation_of(revocations.blob(0)));
    contents.revocations.emplace_back(Hlc{loaded(revocations.integer(1))}, revoke);
  }
  return contents;
}

Result<void> LogStore::load_own_control(const LogRow& row, Contents& contents) {
  const auto covered = [](const Lost& lost) {
    Seq sum = 0;
    for (const LostRange& range : lost.ranges) sum += range.last - range.first + 1;
    return sum;
  };
  const bool present = row.state.id().epoch == epoch_;
  select_oldest_.bind(1, row.id).bind(2, 1).bind(3, 1);
  while (true) {
    DUNLIN_ASSIGN(const bool more, select_oldest_.step());
    if (!more) return {};
    DUNLIN_ASSIGN(const std::vector<Entry> entries, entries_of(select_oldest_.blob(4)));
    for (const Entry& entry : entries) {
      for (const Op& op : entry.ops) {
        if (const auto* define = std::get_if<Define>(&op); define && present)
          contents.own_streams.push_back(*define);
        if (const auto* anchor = std::get_if<TimeAnchor>(&op); anchor && present)
          contents.own_anchors.push_back(*anchor);
        const auto* lost = std::get_if<Lost>(&op);
        if (lost == nullptr) continue;
        // Each repeats what was declared before it, so the largest says it all.
        auto& known = contents.own_lost;
        const auto same = std::find_if(known.begin(), known.end(), [&](const Lost& other) {
          return other.epoch == lost->epoch && other.track == lost->track;
        });
        if (same == known.end()) {
          known.push_back(*lost);
        } else if (covered(*lost) >= covered(*same)) {
          *same = *lost;
        }
      }
    }
  }
}

}  // namespace dunlin::storage
