#include "common/log/interval_set.h"

#include <algorithm>
#include <iterator>

#include "common/base/check.h"

namespace dunlin {

namespace {
// The first interval that ends at `seq` or later.
auto ending_at_or_after(const std::vector<Interval>& intervals, Seq seq) {
  return std::lower_bound(intervals.begin(), intervals.end(), seq,
                          [](const Interval& i, Seq s) { return i.last < s; });
}
}  // namespace

std::uint64_t IntervalSet::count() const {
  std::uint64_t total = 0;
  for (const Interval& i : intervals_) total += i.size();
  return total;
}

bool IntervalSet::contains(Seq seq) const {
  return contains(Interval{seq, seq});
}

bool IntervalSet::contains(Interval interval) const {
  const auto it = ending_at_or_after(intervals_, interval.first);
  return it != intervals_.end() && it->first <= interval.first && it->last >= interval.last;
}

bool IntervalSet::intersects(Interval interval) const {
  const auto it = ending_at_or_after(intervals_, interval.first);
  return it != intervals_.end() && it->first <= interval.last;
}

void IntervalSet::insert(Interval interval) {
  DUNLIN_CHECK(interval.first <= interval.last);
  // Adjacent intervals are joined, so the search starts one earlier.
  auto from = intervals_.begin() +
              (ending_at_or_after(intervals_, interval.first == 0 ? 0 : interval.first - 1) -
               intervals_.cbegin());
  auto to = from;
  while (to != intervals_.end() && (interval.last == ~Seq{0} || to->first <= interval.last + 1)) {
    interval.first = std::min(interval.first, to->first);
    interval.last = std::max(interval.last, to->last);
    ++to;
  }
  if (from == to) {
    intervals_.insert(from, interval);
  } else {
    *from = interval;
    intervals_.erase(from + 1, to);
  }
}

void IntervalSet::erase(Interval interval) {
  DUNLIN_CHECK(interval.first <= interval.last);
  std::vector<Interval> kept;
  kept.reserve(intervals_.size() + 1);
  for (const Interval& i : intervals_) {
    if (i.last < interval.first || i.first > interval.last) {
      kept.push_back(i);
      continue;
    }
    if (i.first < interval.first) kept.push_back({i.first, interval.first - 1});
    if (i.last > interval.last) kept.push_back({interval.last + 1, i.last});
  }
  intervals_ = std::move(kept);
}

void IntervalSet::insert(const IntervalSet& other) {
  std::vector<Interval> both;
  both.reserve(intervals_.size() + other.intervals_.size());
  std::merge(intervals_.begin(), intervals_.end(), other.intervals_.begin(), other.intervals_.end(),
             std::back_inserter(both));
  intervals_.clear();
  for (const Interval& i : both) {
    const bool joins = !intervals_.empty() &&
                       (intervals_.back().last == ~Seq{0} || i.first <= intervals_.back().last + 1);
    if (joins) {
      intervals_.back().last = std::max(intervals_.back().last, i.last);
    } else {
      intervals_.push_back(i);
    }
  }
}

void IntervalSet::erase(const IntervalSet& other) {
  std::vector<Interval> kept;
  auto hole = other.intervals_.begin();
  for (Interval i : intervals_) {
    while (hole != other.intervals_.end() && hole->last < i.first) ++hole;
    // The hole that goes beyond this interval may go into the next one.
    for (; hole != other.intervals_.end() && hole->first <= i.last; ++hole) {
      if (hole->first > i.first) kept.push_back({i.first, hole->first - 1});
      if (hole->last >= i.last) break;
      i.first = hole->last + 1;
    }
    const bool gone = hole != other.intervals_.end() && hole->first <= i.last;
    if (!gone) kept.push_back(i);
  }
  intervals_ = std::move(kept);
}

IntervalSet IntervalSet::complement(Interval within) const {
  IntervalSet out;
  if (within.first > within.last) return out;
  Seq next = within.first;
  for (auto it = ending_at_or_after(intervals_, within.first);
       it != intervals_.end() && it->first <= within.last; ++it) {
    if (it->first > next) out.intervals_.push_back({next, it->first - 1});
    if (it->last >= within.last) return out;
    next = it->last + 1;
  }
  out.intervals_.push_back({next, within.last});
  return out;
}

Seq IntervalSet::first_absent(Seq from) const {
  const auto it = ending_at_or_after(intervals_, from);
  return it != intervals_.end() && it->first <= from ? it->last + 1 : from;
}

Seq IntervalSet::prefix() const {
  return intervals_.empty() || intervals_.front().first > 1 ? 0 : intervals_.front().last;
}

std::optional<Seq> IntervalSet::first() const {
  if (intervals_.empty()) return std::nullopt;
  return intervals_.front().first;
}

std::optional<Seq> IntervalSet::last() const {
  if (intervals_.empty()) return std::nullopt;
  return intervals_.back().last;
}

}  // namespace dunlin
