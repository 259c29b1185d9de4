#include "common/storage/compactor.h"

#include <algorithm>

#include "common/codec/segment_codec.h"

namespace dunlin::storage {

namespace {

constexpr std::size_t kWindow = 512;
constexpr std::size_t kDeletesMax = 128;  // in one step

// The entries of neighbouring segments, put together as far as they make one.
struct Run {
  Chain chain;
  Hash before{};
  Hash after{};
  Seq needs = 0;
  Signature signature{};
  std::size_t canonical_bytes = 0;

  // False, and nothing changed, when the segment does not read back or would be too much.
  bool add(const LogId& log, const StoredSpan& span, ByteView body) {
    const Result<SegmentHeader> header = parse_segment(body);
    if (!header.ok() || header->log != log || header->first != span.first ||
        header->last != span.last || (!chain.empty() && header->before != after)) {
      return false;
    }
    Result<std::vector<Entry>> entries = decode_entries(*header);
    if (!entries.ok()) return false;
    Chain more;
    Hash hash = header->before;
    std::size_t bytes = canonical_bytes;
    for (Entry& entry : *entries) {
      const Result<ChainLink> link = more.add(std::move(entry), hash);
      if (!link.ok()) return false;
      hash = link->after;
      bytes += link->canonical_bytes;
    }
    if (!chain.empty() && bytes > kSegmentTargetBytes) return false;
    if (chain.empty()) before = header->before;
    std::move(more.entries.begin(), more.entries.end(), std::back_inserter(chain.entries));
    chain.links.insert(chain.links.end(), more.links.begin(), more.links.end());
    after = hash;
    needs = std::max(needs, header->needs);
    signature = header->signature;
    canonical_bytes = bytes;
    return true;
  }
};

}  // namespace

Result<void> Compactor::prepare(Connection& db) {
  DUNLIN_ASSIGN(select_window_,
                db.prepare("SELECT id, first, last, length(body), readings, time_min, time_max"
                           " FROM segments WHERE log = ?1 AND first >= ?2"
                           " ORDER BY first, last LIMIT ?3"));
  DUNLIN_ASSIGN(select_body_, db.prepare("SELECT body FROM segments WHERE id = ?1"));
  return {};
}

void Compactor::committed(const Changes& changes, std::span<const WriteOutcome> outcomes) {
  commits_ += 1;
  for (const Rollback& rollback : changes.rollbacks) rolled_back(rollback.log, rollback.last);
  for (std::size_t i = 0; i < changes.segments.size(); ++i) {
    const SegmentInfo& info = changes.segments[i].info;
    const WriteOutcome::Kind kind = outcomes[i].kind;
    if (kind == WriteOutcome::Kind::won) rolled_back(info.log, info.first - 1);
    if (kind == WriteOutcome::Kind::won || kind == WriteOutcome::Kind::stored)
      queue_.stored(info.log, info.first, changes.segments[i].bytes->size());
  }
}

Result<std::vector<StoredSpan>> Compactor::window(std::int64_t row, Seq from) {
  std::vector<StoredSpan> spans;
  select_window_.bind(1, row).bind(2, static_cast<std::int64_t>(from));
  select_window_.bind(3, std::int64_t{kWindow});
  while (true) {
    DUNLIN_ASSIGN(const bool more, select_window_.step());
    if (!more) return spans;
    const auto number = [&](int column) {
      return static_cast<std::uint64_t>(select_window_.integer(column));
    };
    spans.push_back({select_window_.integer(0), number(1), number(2), number(3), number(4),
                     select_window_.integer(5), select_window_.integer(6)});
  }
}

Result<std::optional<Compactor::Replacement>> Compactor::next(const LogId& log, std::int64_t row,
                                                              const IntervalSet* acked) {
  Seq from = queue_.from(log);
  if (const auto listed = listed_.find(log);
      listed != listed_.end() && commits_ < listed->second.until_commit) {
    from = std::max(from, listed->second.last + 1);
  }
  DUNLIN_ASSIGN(std::vector<StoredSpan> spans, window(row, from));
  const Seq acked_to = acked == nullptr || acked->empty() ? 0 : acked->intervals().back().last;
  for (StoredSpan& span : spans) {
    span.acked = acked != nullptr && acked->contains(Interval{span.first, span.last});
    span.on_its_way = !span.acked && span.first <= acked_to;
  }
  const bool tail = spans.size() < kWindow;

  if (const std::vector<std::size_t> inside = contained(spans); !inside.empty()) {
    Replacement replacement;
    for (std::size_t i = 0; i < inside.size() && i < kDeletesMax; ++i)
      replacement.gone.push_back(spans[inside[i]]);
    return std::optional(std::move(replacement));
  }

  const auto span_max = policy_.span_max.find(log.track);
  const MergeChoice choice = choose_merge(
      spans, tail, policy_.fan_in,
      span_max == policy_.span_max.end() ? std::nullopt : std::optional(span_max->second));
  if (choice.begin == choice.end) {
    queue_.looked(log, spans.empty() ? from : choice.resume, tail);
    return std::optional<Replacement>();
  }
  const auto chosen = std::span(spans).subspan(choice.begin, choice.end - choice.begin);
  DUNLIN_ASSIGN(Replacement replacement, merge(log, chosen));
  queue_.looked(log, replacement.merged ? choice.resume : chosen[1].first, false);
  if (!replacement.merged) return std::optional<Replacement>();
  return std::optional(std::move(replacement));
}

Result<Bytes> Compactor::body(const StoredSpan& span) {
  select_body_.bind(1, span.id);
  DUNLIN_ASSIGN(const bool found, select_body_.step());
  const ByteView bytes = found ? select_body_.blob(0) : ByteView();
  Bytes copy(bytes.begin(), bytes.end());
  select_body_.reset();
  return copy;
}

Result<Compactor::Replacement> Compactor::merge(const LogId& log,
                                                std::span<const StoredSpan> spans) {
  Run run;
  Replacement replacement;
  std::uint64_t bytes = 0;
  for (const StoredSpan& span : spans) {
    DUNLIN_ASSIGN(const Bytes segment, body(span));
    if (!run.add(log, span, segment)) break;
    replacement.gone.push_back(span);
    bytes += span.bytes;
  }
  std::vector<StoredSpan>& gone = replacement.gone;
  if (gone.size() < 2) return replacement;
  Result<SegmentRecord> merged =
      build_signed_segment(log, run.before, run.needs, run.chain, run.signature);
  if (!merged.ok() || merged->bytes->size() >= bytes) return replacement;
  const auto into = std::max_element(gone.begin(), gone.end(),
                                     [](const auto& a, const auto& b) { return a.id < b.id; });
  replacement.into = *into;
  gone.erase(into);
  replacement.merged = *std::move(merged);
  return replacement;
}

}  // namespace dunlin::storage
