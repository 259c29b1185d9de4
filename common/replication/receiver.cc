#include "common/replication/receiver.h"

#include <algorithm>
#include <set>

#include "common/log/chain.h"
#include "common/log/limits.h"

namespace dunlin::replication {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kGapGrace = milliseconds(50);     // reordering settles within this
constexpr Duration kOfferGrace = milliseconds(500);  // what is new is on its way by itself
constexpr Duration kFetchTimeout = seconds(3);       // without a word from the peer
constexpr Duration kPatience = seconds(10);          // without news, before others are asked, too
constexpr Duration kBackoffFirst = seconds(1);
constexpr Duration kBackoffMax = seconds(300);
constexpr std::size_t kWantIntervalsMax = 512;  // of one log in one Fetch
constexpr std::size_t kLogsPerNodeMax = 256;
constexpr std::size_t kUnsealedEpochsMax = 16;
constexpr std::size_t kQuarantineLimitsMax = 1024;

// What a segment takes until it is durable, at most. Operations are larger than the few bytes that
// they may stand in, and what they hold is up to 16 times as large.
std::size_t memory_of(const DecodedSegment& segment, std::size_t bytes) {
  const std::size_t sum = bytes + segment.info.streams.size() * sizeof(segment.info.streams[0]);
  if (segment.info.log.track != kControlTrack) return sum;
  std::size_t entries = 16 * segment.canonical_bytes;
  for (const Entry& entry : segment.entries)
    entries += sizeof(Entry) + entry.ops.size() * sizeof(Op);
  return sum + entries;
}

// The newest intervals of a set, and the oldest, which may be about to go: `max` in all.
IntervalSet newest(const IntervalSet& set, std::size_t max) {
  if (set.intervals().size() <= max) return set;
  IntervalSet out;
  out.insert(set.intervals().front());
  for (std::size_t i = set.intervals().size() + 1 - max; i < set.intervals().size(); ++i) {
    out.insert(set.intervals()[i]);
  }
  return out;
}

}  // namespace

void Receiver::on_segments(const Moment& now, const NodeId& peer, CellIndex cell,
                           const Segments& segments, const Prepared& prepared) {
  ForeignWrite batch;
  batch.lane = segments.lane;
  batch.cell = cell;
  batch.from = peer;
  introduce(now, peer, segments);
  const auto session = sessions_.find(peer);
  const bool ours = segments.request != 0 && session != sessions_.end() &&
                    session->second.request == segments.request;
  if (ours) {
    batch.session = peer;
    batch.request = segments.request;
    session->second.heard_at = now.mono;
    session->second.done = session->second.done || segments.done;
  }
  std::uint64_t paid = 0;
  for (const auto& bytes : segments.segments) paid += bytes->size();
  for (const auto& bytes : segments.segments) {
    if (!is_authority(peer) && writing_bytes_ + batch.memory > options_.writing_bytes_max) {
      c_.refuse(peer, {Errc::backpressure, "storage is behind"});
      break;
    }
    if (batch.decoded > kDecodedMax) {
      c_.refuse(peer, {Errc::too_large, "a message that is more than 2 MiB when it is decoded"});
      break;
    }
    const Result<void> taken = take(now, bytes, segments.request, prepared, batch);
    if (!taken.ok()) refuse(now, peer, bytes, taken.error());
  }
  // What is not written was paid for all the same, or credit would leak away.
  if (ours) session->second.durable_bytes += paid - batch.bytes;
  if (!batch.segments.empty()) write(std::move(batch));
  if (ours) advance_session(now, peer);
}

Result<void> Receiver::take(const Moment& now, const std::shared_ptr<const Bytes>& bytes,
                            std::uint64_t request, const Prepared& prepared, ForeignWrite& batch) {
  DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(*bytes));
  const LogId& id = header.log;
  if (id.node == c_.self()) return {};  // an echo of our own
  DUNLIN_TRY(check_room(id));
  const LogId control = id.control();
  // Somebody else brings it, who may show its certificate with the beginning of its track 0.
  if (brings_others(batch.from) && !c_.members.knows(id.node))
    return wait_for_control(now, id.node, request, bytes, batch), Result<void>{};
  DUNLIN_TRY(c_.members.check(id, header.last));
  const LogRecord* known_control = c_.table.find(control);
  const Seq understood = known_control == nullptr ? 0 : known_control->state.complete();
  const auto node = c_.table.nodes.find(id.node);
  const bool keyed = node != c_.table.nodes.end() && !node->second.public_key.empty();
  if (header.needs > understood || (!keyed && (header.first > 1 || id != control))) {
    wait_for_control(now, id.node, request, bytes, batch);
    return {};
  }

  const Prepared::Segment* const ahead = prepared.find(bytes);
  Result<DecodedSegment> read = ahead != nullptr ? ahead->decoded : decode_segment(header);
  batch.decoded += decoding_cost(read);
  c_.stats.decoded_bytes += decoding_cost(read);
  DUNLIN_ASSIGN(DecodedSegment decoded, std::move(read));
  const SegmentInfo& info = decoded.info;
  const bool vouched = vouched_for(info);
  DUNLIN_TRY(c_.members.check(info, vouched));
  DUNLIN_ASSIGN(const Bytes* const key, key_of(header, decoded));
  const std::map<LogId, bool> named = named_by(id, decoded.entries);
  DUNLIN_TRY(check_room(id.node, named));
  DUNLIN_TRY(check_lost(id, decoded.entries));
  const LogRecord* known = c_.table.find(id);
  if (known != nullptr) {
    const Hash* same = known->state.hash_after(info.last);
    const bool held =
        same != nullptr && *same == info.after && known->state.fit(info) == LogState::Fit::covered;
    if (held || known->writing().contains(info.interval())) {
      c_.stats.duplicates += 1;
      return {};
    }
    DUNLIN_TRY(check_pieces(*known, info));
  }
  if (!vouched) {
    const Result<void>* const checked = prepared.signature(bytes, *key);
    DUNLIN_TRY(checked != nullptr
                   ? *checked
                   : c_.verifier.verify(*key, head_statement(id, info.last, info.after),
                                        header.signature));
    c_.stats.signatures_verified += 1;
  }
  if (!keyed) {
    c_.table.nodes[id.node].public_key = *key;
    // Of one that somebody else introduced: a Hello of its own may never come here.
    const auto& open = std::get<Open>(decoded.entries.front().ops.front());
    if (const Bytes* certificate = c_.members.certificate_of(id.node))
      batch.members.push_back({id.node, *key, open.name, *certificate});
  }

  // They count from here on, not when they are stored: more may be on the way by then.
  for (const auto& [other, sealed] : named) (void)c_.table.log(other);
  LogRecord& log = c_.table.log(id);
  const Seq proven = std::max(log.state.head(), log.writing().last().value_or(0));
  if (info.first > proven + 1)
    schedule(now, request == 0 ? id.node : batch.from, request == 0 ? kGapGrace : Duration{},
             !c_.table.forked.contains(id));
  log.begin_write(info.interval(), now.mono);
  arriving_.insert_or_assign({id, info.first}, info.before);
  batch.bytes += bytes->size();
  batch.memory += memory_of(decoded, bytes->size());
  c_.stats.unknown.operations += decoded.unknown_operations;
  for (const Entry& entry : decoded.entries) {
    // Who is out is out at once, whatever becomes of the write.
    for (const Op& op : entry.ops) {
      if (const auto* revoke = std::get_if<Revoke>(&op); revoke != nullptr && is_authority(id.node))
        c_.members.revoke(entry.hlc, *revoke);
    }
  }
  batch.segments.push_back({std::move(decoded.info), bytes, {}});
  if (id.track == kControlTrack) {
    batch.segments.back().control = std::move(decoded.entries);
    batch.lane = Lane::live;  // small, and what is live waits for it
  }
  return {};
}

// A verified successor that joins, stored or on its way there, vouches: its hash covers ours.
bool Receiver::vouched_for(const SegmentInfo& info) const {
  const LogRecord* known = c_.table.find(info.log);
  const Hash* successor = known == nullptr ? nullptr : known->state.hash_before(info.last + 1);
  if (successor != nullptr && *successor == info.after) return true;
  const auto arriving = arriving_.find({info.log, info.last + 1});
  return arriving != arriving_.end() && arriving->second == info.after;
}

Result<void> Receiver::check_room(const LogId& log) const {
  return check_room(log.node, {{log, false}});
}

// Logs are made for whoever asks, so there is a bound to them: in all, and of one node.
Result<void> Receiver::check_room(const NodeId& node, const std::map<LogId, bool>& named) const {
  std::size_t fresh = 0;
  std::set<Epoch> open;
  for (const auto& [log, sealed] : named) {
    if (c_.table.find(log) != nullptr) continue;
    fresh += 1;
    if (log.track != kControlTrack && !sealed) open.insert(log.epoch);
  }
  if (fresh == 0) return {};
  if (c_.table.logs.size() + fresh > options_.logs_max)
    return {Errc::too_large, "more than " + std::to_string(options_.logs_max) + " logs"};
  const auto [begin, end] = c_.table.of(node);
  if (static_cast<std::size_t>(std::distance(begin, end)) + fresh > kLogsPerNodeMax)
    return {Errc::too_large, "more than " + std::to_string(kLogsPerNodeMax) + " logs of one node"};
  // Of many epochs only track 0 is taken, which may seal some of them.
  if (open.empty()) return {};
  for (auto it = begin; it != end; ++it) {
    if (it->first.track != kControlTrack && !it->second.state.sealed())
      open.insert(it->first.epoch);
  }
  if (open.size() > kUnsealedEpochsMax) {
    return {Errc::too_large, "more than " + std::to_string(kUnsealedEpochsMax) +
                                 " epochs of one node are not sealed"};
  }
  return {};
}

// A log in ever more pieces costs ever more, in memory and in each commit. What would be one more
// is fetched again, when gaps between them are closed.
Result<void> Receiver::check_pieces(const LogRecord& log, const SegmentInfo& info) const {
  const std::size_t pieces = log.state.pieces() + log.writing().intervals().size();
  const bool joins =
      log.state.joins(info.interval()) || log.writing().intersects({info.first - 1, info.last + 1});
  if (joins || pieces < options_.pieces_max) return {};
  return {Errc::backpressure, "log " + info.log.to_string() + " is in too many pieces"};
}

Result<void> Receiver::check_lost(const LogId& id, const std::vector<Entry>& entries) const {
  if (id.track != kControlTrack) return {};
  std::map<LogId, IntervalSet> lost;
  for (const Entry& entry : entries) {
    for (const Op& op : entry.ops) {
      const auto* said = std::get_if<Lost>(&op);
      if (said == nullptr) continue;
      const LogId log{id.node, said->epoch, said->track};
      const auto [at, fresh] = lost.try_emplace(log);
      IntervalSet& all = at->second;
      if (const LogRecord* known = c_.table.find(log); known && fresh) all = known->state.lost();
      for (const LostRange& range : said->ranges) all.insert({range.first, range.last});
      if (all.intervals().size() > options_.pieces_max)
        return {Errc::too_large, "log " + log.to_string() + " lost too many pieces"};
    }
  }
  return {};
}

// Lost and Seal make their logs known, too.
std::map<LogId, bool> Receiver::named_by(const LogId& log, const std::vector<Entry>& entries) {
  if (log.track != kControlTrack) return {};
  std::map<LogId, bool> named{{log, false}};
  for (const Entry& entry : entries) {
    for (const Op& op : entry.ops) {
      if (const auto* lost = std::get_if<Lost>(&op))
        named.try_emplace({log.node, lost->epoch, lost->track}, false);
      if (const auto* seal = std::get_if<Seal>(&op))
        named[{log.node, seal->epoch, seal->track}] = true;
    }
  }
  return named;
}

// The origin's key: known, or carried by the Open that starts its track 0.
Result<const Bytes*> Receiver::key_of(const SegmentHeader& header, const DecodedSegment& decoded) {
  const bool starts = header.log.track == kControlTrack && header.first == 1;
  if (starts) {
    const Entry& first = decoded.entries.front();
    const Open* open = first.ops.empty() ? nullptr : std::get_if<Open>(&first.ops.front());
    if (open == nullptr)
      return {Errc::malformed, "log " + header.log.to_string() + " does not start with Open"};
    if (node_id_of(open->public_key) != header.log.node) {
      return {Errc::bad_signature, "the key of " + header.log.to_string() + " is another node's"};
    }
    return &open->public_key;
  }
  return &c_.table.nodes[header.log.node].public_key;
}

void Receiver::wait_for_control(const Moment& now, const NodeId& origin, std::uint64_t request,
                                const std::shared_ptr<const Bytes>& bytes,
                                const ForeignWrite& batch) {
  // The oldest goes first when there is no room: it can be fetched again.
  while (!waiting_.empty() && waiting_bytes_ + bytes->size() > options_.waiting_bytes_max) {
    waiting_bytes_ -= waiting_.front().bytes->size();
    waiting_.pop_front();
  }
  waiting_.push_back({origin, batch.from, batch.cell, request, bytes});
  waiting_bytes_ += bytes->size();
  schedule(now, batch.from, kGapGrace, false);
  if (origin != batch.from) schedule(now, origin, kGapGrace, false);
}

void Receiver::retry_waiting(const Moment& now, const NodeId& origin) {
  std::deque<Waiting> all = std::exchange(waiting_, {});
  waiting_bytes_ = 0;
  std::size_t decoded = 0;
  for (Waiting& item : all) {
    // Of what is taken now the commit brings us back to the rest.
    if (item.origin != origin || decoded >= kDecodedMax / 4) {
      waiting_bytes_ += item.bytes->size();
      waiting_.push_back(std::move(item));
      continue;
    }
    ForeignWrite one;
    one.lane = item.request == 0 ? Lane::live : Lane::bulk;
    one.cell = item.cell;
    one.from = item.from;
    const Result<void> taken = take(now, item.bytes, item.request, {}, one);
    if (!taken.ok()) refuse(now, origin, item.bytes, taken.error());
    decoded += one.decoded;
    if (!one.segments.empty()) write(std::move(one));
  }
}

void Receiver::write(ForeignWrite batch) {
  const Token token = c_.next_token();
  for (KnownNode& member : std::exchange(unkept_, {})) batch.members.push_back(std::move(member));
  writing_bytes_ += batch.memory;
  if (batch.session) sessions_[*batch.session].unwritten += 1;
  c_.outputs.push_back(Write{{.segments = batch.segments,
                              .releases = batch.releases,
                              .members = batch.members,
                              .refused = std::exchange(batch.refused, {})},
                             token,
                             batch.lane});
  writes_.emplace(token, std::move(batch));
}

void Receiver::keep(KnownNode member) {
  ForeignWrite batch;
  batch.members.push_back(std::move(member));
  write(std::move(batch));
}

void Receiver::refuse(const Moment& now, const NodeId& peer,
                      const std::shared_ptr<const Bytes>& bytes, const Error& error) {
  constexpr std::int64_t kRow = 2048;  // what it takes besides its bytes
  c_.refuse(peer, error);
  if (error.code == Errc::backpressure) return;  // it is fetched again
  if (quarantine_limit(peer).take(now.mono, kRow + static_cast<std::int64_t>(bytes->size())))
    quarantine(now, peer, bytes, error);
}

// Certificates are looked at when somebody is not known yet: that costs a signature check each.
void Receiver::introduce(const Moment& now, const NodeId& peer, const Segments& segments) {
  if (segments.certificates.empty()) return;
  const bool strangers =
      std::any_of(segments.segments.begin(), segments.segments.end(), [&](const auto& bytes) {
        const Result<SegmentHeader> header = parse_segment(*bytes);
        return header.ok() && !c_.members.knows(header->log.node);
      });
  if (!strangers) return;
  for (const Bytes& certificate : segments.certificates) {
    const Result<std::optional<NodeId>> met = c_.members.introduce(certificate);
    if (!met.ok()) c_.refuse(peer, met.error());
    if (!met.ok() || !*met) continue;
    const auto node = c_.table.nodes.find(**met);
    if (node == c_.table.nodes.end() || node->second.public_key.empty()) continue;
    // What is here of it came when everybody was a member, or under another authority.
    keep({node->first, node->second.public_key, node->second.name, certificate});
    retry_waiting(now, node->first);
  }
}

TokenBucket& Receiver::quarantine_limit(const NodeId& peer) {
  const bool room = quarantine_limits_.size() < kQuarantineLimitsMax;
  const NodeId whose = room || quarantine_limits_.contains(peer) ? peer : NodeId{};
  return quarantine_limits_
      .try_emplace(whose, options_.quarantine_per_second, options_.quarantine_burst)
      .first->second;
}

void Receiver::quarantine(const Moment& now, const NodeId& peer,
                          const std::shared_ptr<const Bytes>& bytes, const Error& error) {
  c_.stats.quarantined[to_string(error.code)] += 1;
  ForeignWrite batch;
  batch.lane = Lane::bulk;
  batch.refused.push_back({peer, error.code, error.context, now.utc, bytes});
  write(std::move(batch));
}

// What is refused again goes back to where it was taken from, whatever else comes.
void Receiver::reconsider(const Moment& now, const std::vector<Quarantined>& refused) {
  for (const Quarantined& item : refused) {
    ForeignWrite batch;
    batch.lane = Lane::bulk;
    batch.from = item.peer;
    const Result<void> taken = take(now, item.bytes, 0, {}, batch);
    if (!taken.ok()) {
      c_.refuse(item.peer, taken.error());
      quarantine(now, item.peer, item.bytes, taken.error());
    }
    if (!batch.segments.empty()) write(std::move(batch));
  }
}

bool Receiver::on_write_finished(const Moment& now, const WriteFinished& finished) {
  const auto it = writes_.find(finished.token);
  if (it == writes_.end()) return false;
  const ForeignWrite done = std::move(it->second);
  writes_.erase(it);
  writing_bytes_ -= done.memory;
  for (const SegmentRecord& segment : done.segments) {
    c_.table.log(segment.info.log).end_write(segment.info.interval(), now.mono);
    arriving_.erase({segment.info.log, segment.info.first});
  }
  struct Stored {
    std::size_t bytes = 0;
    std::set<LogId> logs;
  };
  std::map<NodeId, Stored> origins;
  bool progressed = false;
  std::vector<SegmentRecord> news;
  if (finished.outcomes.ok()) {
    for (std::size_t i = 0; i < done.segments.size(); ++i) {
      const SegmentRecord& segment = done.segments[i];
      const WriteOutcome& outcome = (*finished.outcomes)[i];
      Stored& durable = origins[segment.info.log.node];
      durable.bytes += segment.bytes->size();
      durable.logs.insert(segment.info.log);
      // What a commit stored whose end was reported as an error is a duplicate to storage, news
      // here.
      const bool unheard =
          outcome.kind == WriteOutcome::Kind::duplicate &&
          c_.table.log(segment.info.log).state.fit(segment.info) != LogState::Fit::covered;
      const bool won = outcome.kind == WriteOutcome::Kind::won;
      if (won || outcome.kind == WriteOutcome::Kind::fork) branched(segment.info, outcome);
      if (outcome.kind == WriteOutcome::Kind::stored || won || unheard) {
        stored(now, segment);
        news.push_back(segment);
        progressed = true;
      } else if (outcome.kind == WriteOutcome::Kind::duplicate) {
        c_.stats.duplicates += 1;
      }
    }
    for (const Release& release : done.releases) {
      c_.table.log(release.log).state.release(release.interval, release.before, release.after);
    }
  } else {
    // Not stored, so not acknowledged: whoever has it keeps it, and it is fetched again.
    c_.notice(Notice::Kind::storage_failed, c_.self(), finished.outcomes.error().message());
    for (const SegmentRecord& segment : done.segments)
      schedule(now, segment.info.log.node, kBackoffFirst, false);
    // They are shown once.
    unkept_.insert(unkept_.end(), done.members.begin(), done.members.end());
  }
  forwarder_.stored(now, news, done.cell, done.lane);
  for (const auto& [origin, durable] : origins) {
    // Who is not in reach asks when it comes. Of the gateways in its cell one tells it what
    // arrived.
    const bool in_reach = peers_.contains(origin) || done.from == origin;
    const bool hears = !is_authority(origin) && !c_.gateways.all().contains(origin);
    if (!options_.archives || !in_reach || !hears) continue;
    if (c_.gateways.rank(origin, c_.where.reach(origin)) == 0) tell(origin, &durable.logs);
    sign_soon(now, origin, durable.bytes);
  }
  if (done.session) {
    const auto session = sessions_.find(*done.session);
    if (session != sessions_.end() && session->second.request == done.request) {
      session->second.unwritten -= std::min<std::size_t>(1, session->second.unwritten);
      session->second.durable_bytes += finished.outcomes.ok() ? done.bytes : 0;
      session->second.progressed = session->second.progressed || progressed;
      if (progressed) session->second.news_at = now.mono;
      advance_session(now, *done.session);
    }
  }
  for (const auto& [origin, durable] : origins) retry_waiting(now, origin);
  return true;
}

void Receiver::branched(const SegmentInfo& info, const WriteOutcome& outcome) {
  c_.table.forked.insert(info.log);
  if (outcome.kind == WriteOutcome::Kind::won)
    c_.table.log(info.log).state.roll_back(info.first - 1, info.before);
  if (outcome.known) return;  // fetched or pushed once more
  c_.stats.forks += 1;
  c_.notice(Notice::Kind::fork, info.log.node,
            info.log.to_string() + " has two entries " + std::to_string(outcome.fork_seq));
}

void Receiver::stored(const Moment& now, const SegmentRecord& segment) {
  const SegmentInfo& info = segment.info;
  c_.clock.heard(now, info.hlc_last);
  LogRecord& log = c_.table.log(info.log);
  log.state.admit(info);
  for (const Entry& entry : segment.control) {
    for (const Op& op : entry.ops) {
      if (const auto* open = std::get_if<Open>(&op)) {
        c_.table.nodes[info.log.node].name = open->name;
      } else if (const auto* seal = std::get_if<Seal>(&op)) {
        c_.table.log({info.log.node, seal->epoch, seal->track}).state.seal(seal->last, seal->hash);
      } else if (const auto* lost = std::get_if<Lost>(&op)) {
        LogRecord& target = c_.table.log({info.log.node, lost->epoch, lost->track});
        target.state.declare_lost(lost->ranges);
        target.settle(now.mono);
      }
    }
  }
  log.settle(now.mono);
  const Seq entries = info.last - info.first + 1;
  c_.stats.entries_received += entries;
  c_.stats.readings_received += info.readings;
  c_.outputs.push_back(Replicated{info.log, info.hlc_last, info.last, entries, info.readings});
}

void Receiver::tell(const NodeId& origin, const std::set<LogId>* changed) {
  c_.send(TopicClass::inbox, origin, Lane::live, c_.vector_of(origin, changed));
}

void Receiver::sign_soon(const Moment& now, const NodeId& origin, std::size_t more_bytes) {
  acknowledger_.durable(origin, more_bytes, now.mono);
}

// Who is away asks again when it comes.
void Receiver::sign_acks(const Moment& now) {
  for (const NodeId& origin : acknowledger_.take_due(now.mono)) {
    const auto peer = peers_.find(origin);
    if (peer == peers_.end()) continue;
    Envelope envelope{c_.nonce, ++c_.last_counter, {}};
    Ack ack{origin, peer->second.instance, c_.vector_of(origin).logs, {}};
    const Result<Signature> signature = c_.signer.sign(ack_statement(c_.self(), ack, envelope));
    if (!signature.ok()) {
      c_.notice(Notice::Kind::storage_failed, c_.self(), signature.error().message());
      continue;
    }
    ack.signature = *signature;
    envelope.message = std::move(ack);
    c_.send(TopicClass::inbox, origin, Lane::live, envelope);
  }
}

// ---- gaps ----

Result<void> Receiver::on_claim(const Moment& now, const LogId& id, Seq head) {
  if (id.node == c_.self() || head == 0) return {};
  DUNLIN_TRY(check_room(id));
  LogRecord& log = c_.table.log(id);
  const bool news = head > log.known_head() && !c_.table.forked.contains(id);
  log.claim(head, now.mono);
  if (log.wanted().empty()) {
    c_.stats.vectors_equal += 1;
  } else {
    c_.stats.vectors_different += 1;
    schedule(now, id.node, Duration{}, news);
  }
  return {};
}

void Receiver::on_peer_up(const Moment& now, const NodeId& peer, Nonce instance,
                          bool keeps_others) {
  Peer& state = peers_[peer];
  offers_.erase(peer);
  fetch_at(peer, state, std::nullopt);
  state = {.instance = instance, .keeps_others = keeps_others};
  fetch_at(peer, state, now.mono);
}

void Receiver::on_peer_down(const NodeId& peer) {
  const auto known = peers_.find(peer);
  if (known != peers_.end()) {
    fetch_at(peer, known->second, std::nullopt);
    peers_.erase(known);
  }
  offers_.erase(peer);
  sessions_.erase(peer);
}

void Receiver::on_offer(const Moment& now, const NodeId& peer, const Digest::Log& offered) {
  const Vector::Item& item = offered.item;
  if (!peers_.contains(peer) || item.log.node == c_.self() || is_authority(item.log.node)) return;
  if (offered.floor > 1 && c_.gateways.all().contains(peer) && c_.table.find(item.log) != nullptr)
    c_.table.log(item.log).say_let_go(offered.floor);
  IntervalSet held;
  if (offered.floor <= item.head) held.insert({offered.floor, item.head});
  held.erase(item.missing);
  Offer offer{std::move(held), item.head, item.hash};
  offer.held = newest(wanted_of_offer(item.log, offer), kOfferIntervalsMax);
  if (offer.held.empty()) return forget_offer(peer, item.log);
  std::map<LogId, Offer>& offers = offers_[peer];
  if (!offers.contains(item.log) && offers.size() == kOffersMax) return;
  offers[item.log] = std::move(offer);
  schedule(now, peer, kOfferGrace, true);
}

// Of what a peer has: what is neither here nor on the way, lost or released. Of a branch of its own
// the end: which one stays is seen when both are here. Nothing beyond the end of who was revoked.
IntervalSet Receiver::wanted_of_offer(const LogId& id, const Offer& offer) const {
  IntervalSet wanted = offer.held;
  if (const auto end = c_.members.end_of(id)) wanted.erase({end->last + 1, kSeqMax});
  const LogRecord* log = c_.table.find(id);
  if (log == nullptr || wanted.empty()) return wanted;
  const Seq head = log->state.head();
  if (head > 0) {
    IntervalSet have;
    have.insert({1, head});
    have.erase(log->state.missing());
    wanted.erase(have);
  }
  const Hash* ours = log->state.hash_after(offer.head);
  if (ours != nullptr && *ours != offer.hash && offer.held.contains(offer.head))
    wanted.insert({offer.head, offer.head});
  wanted.erase(log->writing());
  return wanted;
}

// Who was asked and brings nothing does not keep others from being asked.
IntervalSet Receiver::not_asked_of_others(const Moment& now, const LogId& log,
                                          IntervalSet wanted) const {
  for (const auto& [peer, session] : sessions_) {
    if (session.news_at + kPatience < now.mono) continue;
    const auto asked = session.asked.find(log);
    if (asked != session.asked.end()) wanted.erase(asked->second);
  }
  return wanted;
}

// News are worth a try whatever failed before: something else may be missing for good.
void Receiver::schedule(const Moment& now, const NodeId& peer, Duration delay, bool news) {
  const auto it = peers_.find(peer);
  if (it == peers_.end() || sessions_.contains(peer)) return;  // a session looks again at its end
  if (news) it->second.backoff = Duration{};
  // Many in a cell may miss the same.
  if (!options_.archives) delay += Duration(c_.random.below(kGreetingSpread));
  const Instant at = now.mono + std::max(delay, it->second.backoff);
  fetch_at(peer, it->second, std::min(it->second.fetch_at.value_or(at), at));
}

void Receiver::fetch_at(const NodeId& peer, Peer& state, std::optional<Instant> at) {
  if (state.fetch_at) fetches_.erase({*state.fetch_at, peer});
  if (at) fetches_.emplace(*at, peer);
  state.fetch_at = at;
}

// Of the peer's own logs. One Fetch has room for so many: the next one begins behind, so that what
// is gone for good does not keep the others waiting.
bool Receiver::add_wants(const Moment& now, const NodeId& peer, Peer& state, Fetch& fetch) {
  bool all = true;
  const auto [begin, end] = c_.table.of(peer);
  auto it = std::find_if(begin, end,
                         [&](const auto& log) { return place_of(log.first) > state.asked_last; });
  for (auto left = std::distance(begin, end); left > 0; --left, ++it) {
    if (it == end) it = begin;
    if (fetch.wants.size() == kFetchLogsMax) break;
    LogRecord& log = it->second;
    log.forget_claim(now.mono - kClaimLifetime);
    const IntervalSet missing = wants_(it->first) ? log.wanted() : IntervalSet();
    const IntervalSet wanted = not_asked_of_others(now, it->first, missing);
    all = all && wanted == missing;
    if (wanted.empty()) continue;
    fetch.wants.push_back({it->first, newest(wanted, kWantIntervalsMax)});
    state.asked_last = place_of(it->first);
  }
  return all;
}

void Receiver::forget_offer(const NodeId& peer, const LogId& log) {
  const auto offers = offers_.find(peer);
  if (offers == offers_.end()) return;
  offers->second.erase(log);
  if (offers->second.empty()) offers_.erase(offers);
}

// Of what it has of others. What came meanwhile is wanted no more.
void Receiver::add_offers(const Moment& now, const NodeId& peer, Fetch& fetch) {
  const auto offers = offers_.find(peer);
  if (offers == offers_.end()) return;
  std::erase_if(offers->second, [&](const auto& offer) {
    return wanted_of_offer(offer.first, offer.second).empty();
  });
  if (offers->second.empty()) return void(offers_.erase(offers));
  for (const auto& [log, offer] : offers->second) {
    if (fetch.wants.size() == kFetchLogsMax) break;
    const IntervalSet wanted = not_asked_of_others(now, log, wanted_of_offer(log, offer));
    if (!wanted.empty()) fetch.wants.push_back({log, newest(wanted, kWantIntervalsMax)});
  }
}

// A segment waits for a track 0 that nobody has told us of yet.
void Receiver::add_controls(const Moment& now, const NodeId& peer, Fetch& fetch) const {
  for (const Waiting& waiting : waiting_) {
    if (waiting.origin != peer && waiting.from != peer) continue;
    const Result<SegmentHeader> header = parse_segment(*waiting.bytes);
    if (!header.ok()) continue;
    const LogId control = header->log.control();
    const bool asked = std::any_of(fetch.wants.begin(), fetch.wants.end(),
                                   [&](const Fetch::Want& want) { return want.log == control; });
    if (asked || fetch.wants.size() == kFetchLogsMax) continue;
    const LogRecord* const known = c_.table.find(control);
    // A certificate comes with the beginning.
    const bool whole = known == nullptr || !c_.members.knows(control.node);
    const Seq understood = whole ? 0 : known->state.complete();
    IntervalSet wanted;
    wanted.insert({understood + 1, std::max(header->needs, understood + 1)});
    wanted = not_asked_of_others(now, control, std::move(wanted));
    if (!wanted.empty()) fetch.wants.push_back({control, std::move(wanted)});
  }
}

void Receiver::open_session(const Moment& now, const NodeId& peer, Peer& state) {
  fetch_at(peer, state, std::nullopt);
  Fetch fetch{.request = 0, .credit = 2 * options_.chunk_bytes, .wants = {}};
  add_controls(now, peer, fetch);
  const bool all = add_wants(now, peer, state, fetch);
  add_offers(now, peer, fetch);
  if (fetch.wants.empty()) {
    // Others are asked for the rest of it, and may not have it.
    if (!all || offers_.contains(peer)) fetch_at(peer, state, now.mono + kBackoffFirst);
    return;
  }
  fetch.request = c_.random.next() | 1;
  Session& session = sessions_[peer];
  session = {.request = fetch.request, .heard_at = now.mono, .news_at = now.mono};
  for (const Fetch::Want& want : fetch.wants) session.asked[want.log].insert(want.wanted);
  c_.send(TopicClass::inbox, peer, Lane::bulk, std::move(fetch));
}

void Receiver::advance_session(const Moment& now, const NodeId& peer) {
  Session& session = sessions_[peer];
  if (session.done && session.unwritten == 0) return close_session(now, peer, false);
  if (session.done || session.durable_bytes < options_.chunk_bytes) return;
  c_.send(TopicClass::inbox, peer, Lane::bulk,
          Fetch{session.request, std::exchange(session.durable_bytes, 0), {}});
}

// Looks again at once when the session brought something, and ever later when it did not.
void Receiver::close_session(const Moment& now, const NodeId& peer, bool failed) {
  const bool progressed = sessions_[peer].progressed;
  const std::map<LogId, IntervalSet> asked = std::move(sessions_[peer].asked);
  sessions_.erase(peer);
  const auto known = peers_.find(peer);
  if (known == peers_.end()) return;
  Peer& state = known->second;
  if (progressed) {
    state.backoff = failed ? kBackoffFirst : Duration{};
    fetched_.insert(peer);
  } else {
    state.backoff = std::min(kBackoffMax, std::max(kBackoffFirst, state.backoff * 2));
    for (const auto& [log, wanted] : asked) forget_offer(peer, log);  // it does not have it
  }
  fetch_at(peer, state, now.mono + state.backoff);
}

void Receiver::on_retire(const std::vector<OldSegment>& segments) {
  ForeignWrite batch;
  batch.lane = Lane::bulk;
  for (const OldSegment& old : segments) batch.releases.push_back(old.release);
  if (!batch.releases.empty()) write(std::move(batch));
}

void Receiver::on_deadline(const Moment& now) {
  sign_acks(now);
  std::vector<NodeId> silent;
  for (const auto& [peer, session] : sessions_) {
    if (session.unwritten == 0 && session.heard_at + kFetchTimeout <= now.mono)
      silent.push_back(peer);
  }
  for (const NodeId& peer : silent) close_session(now, peer, true);
  while (!fetches_.empty() && fetches_.begin()->first <= now.mono &&
         sessions_.size() < options_.sessions_max) {
    const NodeId peer = fetches_.begin()->second;
    open_session(now, peer, peers_.at(peer));
  }
}

std::optional<Instant> Receiver::next_deadline() const {
  std::optional<Instant> next = acknowledger_.next_deadline();
  const auto sooner = [&](Instant at) { next = std::min(next.value_or(at), at); };
  for (const auto& [peer, session] : sessions_) {
    if (session.unwritten == 0) sooner(session.heard_at + kFetchTimeout);
  }
  if (sessions_.size() < options_.sessions_max && !fetches_.empty())
    sooner(fetches_.begin()->first);
  return next;
}

}  // namespace dunlin::replication
