#include "common/replication/anti_entropy.h"

#include <algorithm>

namespace dunlin::replication {

namespace {

using std::chrono::seconds;

constexpr Duration kPeriod = seconds(30);  // doubling while nothing changes
constexpr Duration kPeriodMax = seconds(300);
constexpr Duration kAsked = seconds(10);  // so long answers to all are ours, too
// Of what walks cost: a message, and what flows to each peer, whatever it makes of it.
constexpr std::size_t kMessageBytes = 16 * 1024;
constexpr std::int64_t kBytesPerSecond = 16 * 1024 / 30;
constexpr std::int64_t kBurst = 64 * 1024;
constexpr int kLooksMax = 8;             // at what differs and does not change, in periods of 30 s
constexpr std::size_t kListedMax = 8;    // logs of a place that are listed and not hashed
constexpr std::size_t kCountedMax = 64;  // and of one where the other side has few
constexpr std::size_t kGapsMax = 64;     // of a log that are told

std::size_t size_of(const Digest& digest) {
  std::size_t bytes = 64 + digest.places.size() * 170;
  for (const Digest::Leaf& leaf : digest.leaves) {
    bytes += 16;
    for (const Digest::Log& log : leaf.logs) bytes += 80 + 10 * log.item.missing.intervals().size();
  }
  return bytes;
}

bool has_room(const Digest& digest) {
  return size_of(digest) < kMessageBytes && digest.places.size() < kDigestPlacesMax &&
         digest.leaves.size() < kDigestPlacesMax;
}

}  // namespace

AntiEntropy::AntiEntropy(Context& context, Receiver& receiver, Role role, bool only_cell)
    : c_(context), receiver_(receiver), role_(role), only_cell_(only_cell) {}

void AntiEntropy::keep(CellIndex cell) {
  scopes_[cell];
  c_.table.watched = true;
  for (const auto& [id, log] : c_.table.logs) c_.table.touched.insert(id);
}

// In a cell it is the logs of its agents; gateways have theirs in the backbone.
bool AntiEntropy::belongs(CellIndex cell, const LogId& log) const {
  const NodeId* authority = c_.members.authority();
  if (authority != nullptr && log.node == *authority)
    return false;  // everybody has it (AuthorityRelay)
  if (cell == c_.where.backbone() || only_cell_) return true;
  if (log.node == c_.self()) return role_ == Role::agent;
  return c_.where.met(log.node, cell) && !c_.gateways.all().contains(log.node);
}

void AntiEntropy::refresh() {
  for (const LogId& id : std::exchange(c_.table.touched, {})) {
    const Vector::Item item = counted(id);
    for (auto& [cell, scope] : scopes_) {
      if (item.head > 0 && belongs(cell, id)) {
        scope.trie.set(id, log_digest(id, item.head, item.hash, item.missing));
      } else {
        scope.trie.erase(id);
      }
    }
  }
}

// ---- who there is ----

void AntiEntropy::on_replica_up(const Moment& now, const NodeId& node, CellIndex cell) {
  const auto scope = scopes_.find(cell);
  if (scope == scopes_.end() || !scope->second.replicas.insert(node).second) return;
  // Either may have been away: soon, and not in chorus.
  const Instant soon = now.mono + Duration(c_.random.below(kGreetingSpread));
  if (scope->second.replicas.size() == 1) scope->second.due = soon;
  scope->second.due = std::min(scope->second.due, soon);
  scope->second.period = kPeriod;
}

void AntiEntropy::on_replica_down(const NodeId& node) {
  for (auto& [cell, scope] : scopes_)
    scope.replicas.erase(node), scope.walked.erase(node), scope.differing.erase(node);
  budgets_.erase(node);
}

void AntiEntropy::on_link_down() {
  for (auto& [cell, scope] : scopes_) {
    scope.replicas.clear();
    scope.walked.clear();
    scope.differing.clear();
    scope.answer_at.reset();
    scope.asked_at.reset();
  }
  budgets_.clear();
  echo_.reset();
}

TokenBucket& AntiEntropy::budget(const NodeId& peer) {
  return budgets_.try_emplace(peer, kBytesPerSecond, kBurst).first->second;
}

// ---- what is said ----

// The next Digest is due in a period and up to half of one more, so that few are due at a time.
void AntiEntropy::rest(const Moment& now, Scope& scope, bool same) {
  scope.period =
      same && scope.period > Duration{} ? std::min(scope.period * 2, kPeriodMax) : kPeriod;
  const auto spread = static_cast<std::uint64_t>(scope.period.count()) / 2;
  scope.due =
      now.mono + scope.period + Duration(static_cast<Duration::rep>(c_.random.below(spread)));
}

void AntiEntropy::leave_answer(Scope& scope) {
  if (std::exchange(scope.answer_at, std::nullopt)) c_.stats.suppressed += 1;
}

void AntiEntropy::say(const Moment& now, CellIndex cell, Scope& scope) {
  const DigestPair roots = scope.trie.roots();
  rest(now, scope, roots == scope.said);
  scope.said = roots;
  scope.asked_at = now.mono;
  send(now, cell, nullptr, {roots, {}, {}});
}

void AntiEntropy::send(const Moment& now, CellIndex cell, const NodeId* to, Digest digest) {
  if (!c_.link_up) return;
  if (to != nullptr) {
    if (budget(*to).take(now.mono, static_cast<std::int64_t>(size_of(digest))))
      c_.send_in(cell, TopicClass::inbox, *to, Lane::live,
                 {c_.nonce, ++c_.last_counter, std::move(digest)});
    return;
  }
  c_.send_in(cell, TopicClass::gossip, c_.self(), Lane::live,
             {c_.nonce, ++c_.last_counter, std::move(digest)});
  echo_ = {c_.last_counter, now.mono};
}

// Of a node that was revoked, gateways have stored more or less beyond its end by the time they
// heard of that.
Vector::Item AntiEntropy::counted(const LogId& log) const {
  const LogRecord* record = c_.table.find(log);
  if (record == nullptr) return {log, 0, {}, {}};
  const LogState& state = record->state;
  Vector::Item item{log, state.head(), state.head_hash(), state.missing()};
  const std::optional<Revoke::End> end = c_.members.end_of(log);
  if (!end || item.head <= end->last) return item;
  item.missing.erase({end->last + 1, item.head});
  return {log, end->last, end->hash, std::move(item.missing)};
}

Digest::Log AntiEntropy::log_of(const LogId& log) const {
  const LogState& state = c_.table.find(log)->state;
  IntervalSet gone = state.released();
  gone.insert(state.lost());
  gone.erase(state.held());
  Digest::Log out{counted(log)};
  out.floor = std::min(gone.prefix(), out.item.head) + 1;
  // Of a log in many pieces the older gaps are not told: who fetches there is not answered.
  IntervalSet& gaps = out.item.missing;
  if (const std::size_t n = gaps.intervals().size(); n > kGapsMax)
    gaps.erase({1, gaps.intervals()[n - kGapsMax - 1].last});
  return out;
}

void AntiEntropy::show(const Scope& scope, const TriePath& path, Digest& out) const {
  if (scope.trie.count(path) > kListedMax && path.depth() < TriePath::kDepthMax) {
    out.places.push_back({path, *scope.trie.children(path)});
    return;
  }
  Digest::Leaf leaf{path, false, {}};
  for (const LogId& log : scope.trie.logs(path)) leaf.logs.push_back(log_of(log));
  out.leaves.push_back(std::move(leaf));
}

// ---- what is heard ----

Result<void> AntiEntropy::on_digest(const Moment& now, const Received& received,
                                    const Digest& digest, std::uint64_t counter) {
  const NodeId& peer = received.topic_node;
  if (peer == c_.self()) {
    if (echo_ && echo_->counter == counter) timer_.echoed(now.mono - echo_->sent), echo_.reset();
    return {};
  }
  const auto found = scopes_.find(received.cell);
  if (found == scopes_.end()) return {};
  Scope& scope = found->second;
  if (!scope.replicas.contains(peer)) return {};
  refresh();
  const DigestPair roots = scope.trie.roots();
  const bool bare = digest.places.empty() && digest.leaves.empty();
  const bool to_all = received.topic == TopicClass::gossip;
  if (digest.roots == roots) {
    c_.stats.vectors_equal += 1;
    leave_answer(scope);  // it has said, or will hear, what we would have
    if (!to_all || !bare) return {};
    if (roots.missing == Digest16{}) {
      rest(now, scope, roots == scope.said);
      c_.stats.suppressed += 1;
    }
    scope.said = roots;
    scope.asked_at = now.mono;
    return {};
  }
  c_.stats.vectors_different += 1;
  // What nobody has who is here is missing for long: that the two still differ, after as many looks
  // as find what there is on a bad network, is no news.
  Scope::Difference& difference = scope.differing[peer];
  if (difference.ours != roots || difference.theirs != digest.roots)
    difference = {roots, digest.roots};
  if (bare && to_all) difference.looks += 1;
  if (difference.looks <= kLooksMax) {
    scope.period = kPeriod;
    scope.due = std::min(scope.due, now.mono + 3 * kPeriod / 2);
  }
  if (to_all && !bare) leave_answer(scope);
  if (bare && to_all) {
    if (!scope.answer_at)
      scope.answer_at =
          now.mono + timer_.draw(c_.random, scope.replicas.size() + 1, role_ == Role::gateway);
    return {};
  }
  // An answer to all is for who asked; the others have their own turn.
  if (to_all && (!scope.asked_at || *scope.asked_at + kAsked < now.mono)) return {};
  settle(received.cell, digest);
  if (!bare) scope.walked.insert(peer);
  Digest reply{roots, {}, {}};
  if (bare) {
    show(scope, {}, reply);
  } else {
    walk(now, scope, peer, digest, reply);
  }
  if (!reply.places.empty() || !reply.leaves.empty())
    send(now, received.cell, &peer, std::move(reply));
  return {};
}

// What does not fit is found the next time, which begins elsewhere.
void AntiEntropy::walk(const Moment& now, Scope& scope, const NodeId& peer, const Digest& theirs,
                       Digest& out) {
  for (const Digest::Leaf& leaf : theirs.leaves) compare(now, scope, peer, leaf, out);
  for (const Digest::Place& place : theirs.places) {
    const std::vector<TriePath> paths = scope.trie.differing(place.path, place.children);
    if (paths.empty()) continue;
    auto at = static_cast<std::size_t>(c_.random.below(paths.size()));
    for (std::size_t left = paths.size(); left > 0 && has_room(out); --left)
      show(scope, paths[at++ % paths.size()], out);
  }
}

// Who was never heard belongs to the cell in which somebody keeps its logs, if its certificate says
// no other one.
void AntiEntropy::settle(CellIndex cell, const Digest& theirs) {
  if (only_cell_ || cell == c_.where.backbone()) return;
  for (const Digest::Leaf& leaf : theirs.leaves) {
    for (const Digest::Log& log : leaf.logs) {
      const NodeId& node = log.item.log.node;
      if (c_.where.knows(node) || c_.table.find(log.item.log) == nullptr ||
          !c_.members.may_be_in(node, c_.where.name(cell)))
        continue;
      c_.where.heard(node, cell);
      c_.table.touch(node);
    }
  }
  refresh();
}

// What they have goes to the receiver; what is here and not there is said.
void AntiEntropy::compare(const Moment& now, const Scope& scope, const NodeId& peer,
                          const Digest::Leaf& leaf, Digest& out) {
  std::map<LogId, const Digest::Log*> theirs;
  for (const Digest::Log& log : leaf.logs) {
    if (!leaf.path.holds(trie_key(log.item.log))) continue;
    theirs.emplace(log.item.log, &log);
    receiver_.on_offer(now, peer, log);
  }
  if (leaf.last) return;
  if (scope.trie.count(leaf.path) > kCountedMax && leaf.path.depth() < TriePath::kDepthMax) {
    if (has_room(out)) out.places.push_back({leaf.path, *scope.trie.children(leaf.path)});
    return;
  }
  Digest::Leaf answer{leaf.path, true, {}};
  for (const LogId& id : scope.trie.logs(leaf.path)) {
    const auto said = theirs.find(id);
    Digest::Log ours = log_of(id);
    const bool news =
        said == theirs.end() || said->second->item.head < ours.item.head ||
        !said->second->item.missing.empty() ||
        (said->second->item.head == ours.item.head && said->second->item.hash != ours.item.hash);
    if (news) answer.logs.push_back(std::move(ours));
  }
  if (!answer.logs.empty() && has_room(out)) out.leaves.push_back(std::move(answer));
}

// ---- time ----

void AntiEntropy::look(const Moment& now) {
  for (const NodeId& peer : receiver_.take_fetched()) {
    for (auto& [cell, scope] : scopes_) {
      if (scope.walked.erase(peer) == 0 || !scope.replicas.contains(peer)) continue;
      budgets_.erase(peer);  // it led to something
      refresh();
      send(now, cell, &peer, {scope.trie.roots(), {}, {}});
    }
  }
}

void AntiEntropy::on_deadline(const Moment& now) {
  for (auto& [cell, scope] : scopes_) {
    if (scope.replicas.empty()) continue;
    const bool due = scope.due <= now.mono;
    const bool answers = scope.answer_at && *scope.answer_at <= now.mono;
    if (!due && !answers) continue;
    refresh();
    if (due) say(now, cell, scope);
    if (!answers) continue;
    scope.answer_at.reset();
    Digest answer{scope.trie.roots(), {}, {}};
    show(scope, {}, answer);
    send(now, cell, nullptr, std::move(answer));
  }
}

std::optional<Instant> AntiEntropy::next_deadline() const {
  std::optional<Instant> next;
  for (const auto& [cell, scope] : scopes_) {
    if (scope.replicas.empty()) continue;
    next = std::min(next.value_or(scope.due), scope.due);
    if (scope.answer_at) next = std::min(*next, *scope.answer_at);
  }
  return next;
}

}  // namespace dunlin::replication
