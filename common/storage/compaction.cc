#include "common/storage/compaction.h"

#include <algorithm>

#include "common/codec/segment_codec.h"
#include "common/log/limits.h"

namespace dunlin::storage {

namespace {

// Sensor data of kSegmentTargetBytes encodes to three times this or more.
constexpr std::uint64_t kSmallBytes = 6 * 1024;
constexpr std::uint64_t kSmallEntries = kSegmentEntriesMax / 4;
// Header and signature, of which a merged segment has one.
constexpr std::uint64_t kFixedBytes = 180;
// What is merged at once. All together bound the work and the memory of a step.
constexpr std::uint64_t kMergeBodyBytes = 32 * 1024;  // without the fixed part
constexpr std::uint64_t kMergeInputBytes = 256 * 1024;

std::uint64_t body_bytes(const StoredSpan& span) {
  return span.bytes - std::min(span.bytes, kFixedBytes);
}

// Kept by merging, unlike bytes.
std::uint64_t weight(const StoredSpan& span) {
  return span.readings + span.entries();
}

// Segments [begin, end) of one run that may become one or more.
struct Group {
  std::size_t begin;
  std::size_t end;
};

// How many from the front of a group fit one segment.
std::size_t fitting(std::span<const StoredSpan> group, std::optional<Duration> span_max) {
  std::uint64_t body = 0;
  std::uint64_t input = 0;
  std::uint64_t entries = 0;
  std::optional<UtcMicros> low, high;
  std::size_t n = 0;
  for (; n < group.size(); ++n) {
    const StoredSpan& span = group[n];
    body += body_bytes(span), input += span.bytes, entries += span.entries();
    if (span.time_min <= span.time_max) {
      low = std::min(low.value_or(span.time_min), span.time_min);
      high = std::max(high.value_or(span.time_max), span.time_max);
    }
    const bool too_long = span_max && low &&
                          static_cast<std::uint64_t>(*high) - static_cast<std::uint64_t>(*low) >
                              static_cast<std::uint64_t>(span_max->count());
    if (body > kMergeBodyBytes || input > kMergeInputBytes || entries > kSegmentEntriesMax ||
        too_long) {
      break;
    }
  }
  return n;
}

// The run's groups, oldest first: a run that may still grow is parted where a segment is heavier
// than all that is newer.
std::vector<Group> groups_of(std::span<const StoredSpan> spans, Group run, bool grows) {
  if (!grows) return {run};
  std::vector<Group> groups;
  std::size_t end = run.end;
  std::uint64_t newer = 0;
  for (std::size_t at = run.end; at > run.begin; --at) {
    const std::uint64_t own = weight(spans[at - 1]);
    if (at < end && own > newer) groups.push_back({at, end}), end = at;
    newer += own;
  }
  groups.push_back({run.begin, end});
  std::reverse(groups.begin(), groups.end());
  return groups;
}

}  // namespace

bool StoredSpan::small() const {
  return bytes < kSmallBytes && entries() < kSmallEntries;
}

MergeChoice choose_merge(std::span<const StoredSpan> spans, bool tail, std::size_t fan_in,
                         std::optional<Duration> span_max) {
  MergeChoice choice;
  bool waiting = false;  // for a run to grow: the next look starts with the first of these
  for (std::size_t at = 0; at < spans.size();) {
    if (!spans[at].small() || spans[at].on_its_way) {
      waiting = waiting || (spans[at].on_its_way && tail);
      if (!waiting) choice.resume = spans[at].last + 1;
      ++at;
      continue;
    }
    Group run{at, at + 1};
    const auto follows = [&] {
      return run.end < spans.size() && spans[run.end].small() &&
             spans[run.end].first == spans[run.end - 1].last + 1;
    };
    while (follows() && spans[run.end].acked == spans[at].acked && !spans[run.end].on_its_way)
      ++run.end;
    const bool at_end = run.end == spans.size();
    const bool grows = at_end || follows();
    if (!waiting) choice.resume = spans[at].first;
    if (at_end && !tail && run.begin > 0) return choice;  // to be seen as a whole
    const std::size_t enough = grows ? fan_in : std::max<std::size_t>(2, fan_in / 8);
    for (const Group& group : groups_of(spans, run, grows)) {
      std::uint64_t body = 0;
      for (std::size_t i = group.begin; i < group.end; ++i) body += body_bytes(spans[i]);
      if (group.end - group.begin < enough && body <= kMergeBodyBytes) continue;
      for (std::size_t from = group.begin; from < group.end; ++from) {
        const std::size_t n = fitting(spans.subspan(from, group.end - from), span_max);
        if (n >= 2) return choice.begin = from, choice.end = from + n, choice;
      }
    }
    at = run.end;
    waiting = waiting || (grows && tail);
    if (at < spans.size() && !waiting) choice.resume = spans[at].first;
    if (at_end && !tail) choice.resume = spans.back().first;
  }
  return choice;
}

std::vector<std::size_t> contained(std::span<const StoredSpan> spans) {
  std::vector<std::size_t> found;
  Seq reached = 0;  // by segments before
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const bool by_next = i + 1 < spans.size() && spans[i + 1].first == spans[i].first;
    if (spans[i].last <= reached || by_next) found.push_back(i);
    reached = std::max(reached, spans[i].last);
  }
  return found;
}

void CompactionQueue::add(const LogId& log, std::uint64_t segments, std::uint64_t bytes) {
  // What lies there was merged by the last process as far as it paid, unless it is all small.
  const bool worthwhile = segments >= fan_in_ && bytes / segments < kSmallBytes;
  if (!worthwhile) return;
  marks_[log] = {};
  due_.insert(log);
}

void CompactionQueue::stored(const LogId& log, Seq first, std::uint64_t bytes) {
  Mark& mark = marks_.try_emplace(log, Mark{.from = first}).first->second;
  // Small neighbours of a segment start at most this far before it.
  if (first < mark.from) mark.from = first > kSegmentEntriesMax ? first - kSegmentEntriesMax : 1;
  if (bytes < kSmallBytes && ++mark.fresh >= fan_in_) due_.insert(log);
}

void CompactionQueue::rolled_back(const LogId& log, Seq last) {
  if (const auto mark = marks_.find(log); mark != marks_.end())
    mark->second.from = std::min(mark->second.from, last + 1);
}

void CompactionQueue::looked(const LogId& log, Seq resume, bool over) {
  Mark& mark = marks_[log];
  mark.from = resume;
  if (!over) return;
  mark.fresh = 0;
  due_.erase(log);
}

}  // namespace dunlin::storage
