#include "common/replication/log_table.h"

#include <algorithm>

namespace dunlin::replication {

void HeadTimes::learned(Seq head, Instant now) {
  if (!marks_.empty() && head <= marks_.back().head) return;
  if (marks_.size() == kMarks) {
    marks_.back().head = head;  // the older time stands for both
  } else {
    marks_.push_back({head, now});
  }
}

std::optional<Instant> HeadTimes::of(Seq seq) const {
  const auto mark = std::lower_bound(marks_.begin(), marks_.end(), seq,
                                     [](const Mark& m, Seq s) { return m.head < s; });
  if (mark == marks_.end()) return std::nullopt;
  return mark->at;
}

void HeadTimes::forget_up_to(Seq complete) {
  const auto open = std::find_if(marks_.begin(), marks_.end(),
                                 [&](const Mark& mark) { return mark.head > complete; });
  marks_.erase(marks_.begin(), open);
  if (marks_.empty()) marks_.shrink_to_fit();
}

const IntervalSet& LogRecord::writing() const {
  static const IntervalSet kNothing;
  return pending_ ? pending_->writing : kNothing;
}

IntervalSet LogRecord::wanted() const {
  IntervalSet set = state.missing();
  const Seq head = std::max(claimed(), writing().last().value_or(0));
  if (head > state.head()) set.insert({state.head() + 1, head});
  set.erase(writing());
  return set;
}

std::optional<Instant> LogRecord::heard_of(Seq seq) const {
  return pending_ ? pending_->times.of(seq) : std::nullopt;
}

void LogRecord::say_let_go(Seq before) {
  if (pending_) pending_->let_go_before = std::max(pending_->let_go_before, before);
}

void LogRecord::claim(Seq head, Instant now) {
  if (head > state.head() || pending_) pending().claimed = head, pending().claimed_at = now;
  settle(now);
}

void LogRecord::forget_claim(Instant before) {
  if (claimed() > state.head() && pending_->claimed_at < before) pending_->claimed = 0;
}

void LogRecord::begin_write(Interval entries, Instant now) {
  pending().writing.insert(entries);
  pending().times.learned(entries.last, now);
}

void LogRecord::end_write(Interval entries, Instant now) {
  pending().writing.erase(entries);
  settle(now);
}

void LogRecord::settle(Instant now) {
  const Seq complete = state.complete();
  if (known_head() > complete) pending().times.learned(known_head(), now);
  if (!pending_) return;
  pending_->times.forget_up_to(complete);
  if (claimed() <= state.head() && pending_->writing.empty() && pending_->times.empty())
    pending_.reset();
}

LogRecord::Pending& LogRecord::pending() {
  if (!pending_) pending_ = std::make_unique<Pending>();
  return *pending_;
}

LogRecord& LogTable::log(const LogId& id) {
  if (watched) touched.insert(id);
  const auto [it, fresh] = logs.try_emplace(id);
  if (fresh) it->second.state = LogState(id);
  return it->second;
}

void LogTable::touch(const NodeId& node) {
  const auto [begin, end] = of(node);
  for (auto it = begin; watched && it != end; ++it) touched.insert(it->first);
}

const LogRecord* LogTable::find(const LogId& id) const {
  const auto it = logs.find(id);
  return it == logs.end() ? nullptr : &it->second;
}

std::pair<std::map<LogId, LogRecord>::iterator, std::map<LogId, LogRecord>::iterator> LogTable::of(
    const NodeId& node) {
  const LogId least{node, Epoch{0}, Track{0}};
  const LogId greatest{node, Epoch{~std::uint64_t{0}}, Track{~std::uint64_t{0}}};
  return {logs.lower_bound(least), logs.upper_bound(greatest)};
}

}  // namespace dunlin::replication
