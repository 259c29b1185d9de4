#include "common/log/log_state.h"

#include <algorithm>

#include "common/base/check.h"

namespace dunlin {

namespace {
// The first run that ends at `seq` or later.
template <typename Runs>
auto ending_at_or_after(Runs& runs, Seq seq) {
  return std::lower_bound(runs.begin(), runs.end(), seq,
                          [](const LogState::Run& run, Seq s) { return run.last < s; });
}
}  // namespace

IntervalSet LogState::held() const {
  IntervalSet set;
  for (const Run& run : runs_) set.insert({run.first, run.last});
  return set;
}

IntervalSet LogState::missing() const {
  if (head_ == 0) return {};
  IntervalSet known = held();
  known.insert(lost_);
  known.insert(released_);
  return known.complement({1, head_});
}

Seq LogState::complete() const {
  Seq next = 1;  // nothing before it is missing
  for (Seq from = 0; from != next;) {
    from = next;
    const auto run = ending_at_or_after(runs_, next);
    if (run != runs_.end() && run->first <= next) next = run->last + 1;
    next = released_.first_absent(lost_.first_absent(next));
  }
  return std::min(next - 1, head_);
}

std::size_t LogState::pieces() const {
  return runs_.size() + released_.intervals().size();
}

bool LogState::joins(Interval interval) const {
  const Interval around{interval.first - 1, interval.last + 1};
  const auto run = ending_at_or_after(runs_, around.first);
  return (run != runs_.end() && run->first <= around.last) || released_.intersects(around);
}

LogState::Fit LogState::fit(const SegmentInfo& segment) const {
  const auto right = ending_at_or_after(runs_, segment.first);
  if (right != runs_.end() && right->first <= segment.last) {
    IntervalSet known = held();
    known.insert(released_);
    return known.contains(segment.interval()) ? Fit::covered : Fit::overlaps;
  }
  if (released_.contains(segment.interval())) return Fit::covered;
  return misfit(segment) ? Fit::fork : Fit::fresh;
}

std::optional<Seq> LogState::misfit(const SegmentInfo& segment) const {
  const Hash* left = hash_after(segment.first - 1);
  if (left != nullptr && *left != segment.before) return segment.first - 1;
  const Hash* right = hash_before(segment.last + 1);
  if (right != nullptr && *right != segment.after) return segment.last;
  return {};
}

const LogState::Run* LogState::last_run_before(Seq seq) const {
  const auto it = ending_at_or_after(runs_, seq);
  return it == runs_.begin() ? nullptr : &*(it - 1);
}

const Hash* LogState::hash_before(Seq first) const {
  const auto it = ending_at_or_after(runs_, first);
  return it != runs_.end() && it->first == first ? &it->before : nullptr;
}

const Hash* LogState::hash_after(Seq last) const {
  const auto it = ending_at_or_after(runs_, last);
  return it != runs_.end() && it->last == last ? &it->after : nullptr;
}

void LogState::admit(const SegmentInfo& segment) {
  Run merged{segment.first, segment.last, segment.before, segment.after};
  auto from = ending_at_or_after(runs_, segment.first - 1);
  auto to = from;
  while (to != runs_.end() && to->first <= segment.last + 1) {
    if (to->first < merged.first) merged.first = to->first, merged.before = to->before;
    if (to->last > merged.last) merged.last = to->last, merged.after = to->after;
    ++to;
  }
  from = runs_.erase(from, to);
  runs_.insert(from, merged);
  if (segment.last > head_) head_ = segment.last, head_hash_ = segment.after;
}

void LogState::release(Interval interval, const Hash& before, const Hash& after) {
  std::vector<Run> kept;
  for (const Run& run : runs_) {
    if (run.last < interval.first || run.first > interval.last) {
      kept.push_back(run);
      continue;
    }
    if (run.first < interval.first)
      kept.push_back({run.first, interval.first - 1, run.before, before});
    if (run.last > interval.last) kept.push_back({interval.last + 1, run.last, after, run.after});
  }
  runs_ = std::move(kept);
  released_.insert(interval);
}

void LogState::declare_lost(const std::vector<LostRange>& ranges) {
  std::uint64_t readings = 0;
  for (const LostRange& range : ranges) {
    lost_.insert({range.first, range.last});
    readings += range.readings;
    if (range.last > head_) head_ = range.last, head_hash_ = range.after;
  }
  lost_readings_ = std::max(lost_readings_, readings);
}

void LogState::roll_back(Seq last, const Hash& hash) {
  while (!runs_.empty() && runs_.back().first > last) runs_.pop_back();
  if (!runs_.empty() && runs_.back().last > last)
    runs_.back().last = last, runs_.back().after = hash;
  for (IntervalSet* set : {&lost_, &released_, &acked_}) set->erase({last + 1, ~Seq{0}});
  if (lost_.empty()) lost_readings_ = 0;
  if (head_ > last) head_ = last, head_hash_ = last == 0 ? Hash{} : hash;
}

void LogState::seal(Seq last, const Hash& hash) {
  if (!sealed_ || last > sealed_->last) sealed_ = Sealed{last, hash};
}

LogState LogState::from_parts(LogId id, Parts parts) {
  LogState state(id);
  state.runs_ = std::move(parts.runs);
  state.lost_ = std::move(parts.lost);
  state.released_ = std::move(parts.released);
  state.acked_ = std::move(parts.acked);
  state.lost_readings_ = parts.lost_readings;
  state.head_ = parts.head;
  state.head_hash_ = parts.head_hash;
  state.sealed_ = parts.sealed;
  return state;
}

}  // namespace dunlin
