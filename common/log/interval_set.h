#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/ids.h"

namespace dunlin {

struct Interval {
  Seq first = 0;
  Seq last = 0;  // inclusive
  Seq size() const { return last - first + 1; }
  auto operator<=>(const Interval&) const = default;
};

// A set of sequence numbers as sorted, disjoint, non-adjacent closed intervals.
// Operations cost O(log n) to find plus O(n) to shift, those with another set O(n + m), n and m
// intervals; n is 1 for a healthy log.
class IntervalSet {
 public:
  IntervalSet() = default;

  bool empty() const { return intervals_.empty(); }
  const std::vector<Interval>& intervals() const { return intervals_; }
  std::uint64_t count() const;  // of sequence numbers

  bool contains(Seq seq) const;
  bool contains(Interval interval) const;
  bool intersects(Interval interval) const;
  void insert(Interval interval);
  void erase(Interval interval);
  void insert(const IntervalSet& other);
  void erase(const IntervalSet& other);

  // Members of `within` that are not in this set.
  IntervalSet complement(Interval within) const;
  // The smallest number from `from` on that is not in the set.
  Seq first_absent(Seq from) const;
  // The largest n such that [1..n] is in the set; 0 when 1 is not.
  Seq prefix() const;
  std::optional<Seq> first() const;
  std::optional<Seq> last() const;

  bool operator==(const IntervalSet&) const = default;

 private:
  std::vector<Interval> intervals_;
};

}  // namespace dunlin
