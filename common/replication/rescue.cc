#include "common/replication/rescue.h"

#include <algorithm>

#include "common/codec/segment_codec.h"
#include "common/log/chain.h"

namespace dunlin::replication {

namespace {

constexpr Duration kAnswerTimeout = std::chrono::seconds(3);
constexpr Duration kReordering = std::chrono::milliseconds(500);  // of messages, by the broker
constexpr int kAsksMax = 4;
constexpr Duration kIgnoredFor = std::chrono::minutes(10);
constexpr std::size_t kIgnoredMax = 64;

}  // namespace

void Rescue::begin(const Moment& now, const Uplink::Stray& stray) {
  if (job_) return;
  const auto ignored = ignored_.find({stray.gateway, stray.item.log});
  if (ignored != ignored_.end() && now.mono < ignored->second)
    return settle(stray.item, stray.data);
  job_ = Job{};
  job_->gateway = stray.gateway;
  job_->said = stray.item;
  job_->data = stray.data;
  if (stray.item.log.epoch == c_.epoch) uplink_.doubt();
  ask(now, stray.item.head);
}

// ---- finding where the branches part ----

void Rescue::ask(const Moment& now, Seq seq) {
  if (!c_.link_up) return drop();
  Fetch fetch{.request = c_.random.next() | 1, .credit = 1, .wants = {}};
  fetch.wants.push_back({job_->said.log, {}});
  fetch.wants.front().wanted.insert({seq, seq});
  job_->request = fetch.request;
  job_->asked_at = now.mono;
  job_->asked += 1;
  job_->denied = false;
  c_.send(TopicClass::inbox, job_->gateway, Lane::bulk, std::move(fetch));
}

void Rescue::read(const LogId& log, Seq seq) {
  job_->reading = c_.next_token();
  c_.outputs.push_back(Read{*job_->reading, log, {seq, seq}, 0});
}

// Only what our own key signed counts.
bool Rescue::take_theirs(const SegmentHeader& header) {
  const Seq wanted = job_->proven ? job_->at : job_->said.head;
  if (header.log != job_->said.log || header.first > wanted || header.last < wanted) return false;
  Result<EntryHashes> hashes = entry_hashes(header);
  if (!hashes.ok()) return false;
  const Bytes statement = head_statement(header.log, header.last, hashes->at(header.last));
  if (!c_.verifier.verify(c_.signer.public_key(), statement, header.signature).ok()) return false;
  job_->theirs = *std::move(hashes);
  return true;
}

void Rescue::on_segments(const Moment& now, const Segments& segments) {
  if (!job_ || job_->request == 0 || segments.request != job_->request) return;
  const bool taken =
      std::any_of(segments.segments.begin(), segments.segments.end(), [&](const auto& bytes) {
        const Result<SegmentHeader> header = parse_segment(*bytes);
        return header.ok() && take_theirs(*header);
      });
  if (taken) {
    job_->request = 0;
    job_->asked = 0;
    if (!job_->proven && job_->theirs.at(job_->said.head) != job_->said.hash)
      return give_up(now, "does not have what it said");
    if (!job_->proven)
      job_->at = std::min(job_->said.head, c_.table.log(job_->said.log).state.head());
    job_->proven = true;
    return compare(now);
  }
  // What was sent before that may come after it.
  if (segments.done && !job_->denied) job_->denied = true, job_->asked_at = now.mono;
}

// The gateway does not have what it was asked for.
void Rescue::denied(const Moment& now) {
  job_->request = 0;
  if (!job_->proven) return give_up(now, "cannot show it");
  // It let go of these entries. What gateways signed for is shared, or public at least.
  const Seq acked = c_.table.log(job_->said.log).state.acked().last().value_or(0);
  job_->at = std::min(job_->at, acked);
  job_->first.reset();
  if (job_->at > 0 && !job_->own.covers(job_->at)) return read(job_->said.log, job_->at);
  found(now, job_->at, job_->at == 0 ? chain_start(job_->said.log) : job_->own.at(job_->at));
}

bool Rescue::on_read_finished(const Moment& now, const ReadFinished& finished) {
  if (!job_ || job_->reading != finished.token) return false;
  job_->reading.reset();
  const Result<void> went_on = finished.segments.ok() ? on_own(now, *finished.segments)
                                                      : Result<void>(finished.segments.error());
  if (went_on.ok()) return true;
  c_.notice(Notice::Kind::storage_failed, c_.self(), went_on.error().message());
  drop();
  return true;
}

Result<void> Rescue::on_own(const Moment& now, const std::vector<StoredSegment>& segments) {
  if (segments.empty()) return skip_absent(now), Result<void>{};
  if (job_->found) return origin_.move(now, segments.front(), job_->at);
  DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(segments.front().bytes));
  DUNLIN_ASSIGN(job_->own, entry_hashes(header));
  if (job_->needs_beyond && header.needs <= *std::exchange(job_->needs_beyond, {})) {
    finish(now);
  } else if (job_->proven) {
    compare(now);
  } else if (job_->said.head == 0) {
    found(now, 0, chain_start(job_->said.log));
  } else {
    ask(now, job_->said.head);
  }
  return {};
}

void Rescue::compare(const Moment& now) {
  while (job_->at > 0) {
    if (!job_->own.covers(job_->at)) return read(job_->said.log, job_->at);
    if (!job_->theirs.covers(job_->at)) return ask(now, job_->at);
    if (meet()) break;
  }
  found(now, job_->at, job_->at == 0 ? chain_start(job_->said.log) : job_->own.at(job_->at));
}

// Looks for a shared entry where both stretches overlap; else `at` moves on behind them.
bool Rescue::meet() {
  const Seq low = std::max(job_->own.before, job_->theirs.before);
  for (; job_->at > 0 && job_->at >= low; --job_->at) {
    const Hash& own = job_->own.at(job_->at);
    const Hash& theirs = job_->theirs.at(job_->at);
    if (own == theirs) return true;
    job_->first = Job::Difference{job_->at, own, theirs};
  }
  return false;
}

// Own entries that are not here any more cannot move; what is below them may have to.
void Rescue::skip_absent(const Moment& now) {
  if (job_->needs_beyond) return finish(now);
  const LogState& state = c_.table.log(job_->said.log).state;
  const Seq from = job_->found ? state.head() : job_->at;
  const LogState::Run* run = state.last_run_before(from);
  if (job_->found) {
    const bool beyond = run != nullptr && run->last > job_->at;
    return origin_.roll_back(now, job_->said.log, beyond ? run->last : job_->at,
                             beyond ? run->after : job_->shared);
  }
  if (run == nullptr) return found(now, 0, chain_start(job_->said.log));
  job_->at = run->last;
  job_->first.reset();
  compare(now);
}

// ---- what follows from it ----

void Rescue::found(const Moment& now, Seq last, const Hash& hash) {
  const LogId& log = job_->said.log;
  const Seq head = c_.table.log(log).state.head();
  if (!control_) {
    c_.stats.branches += 1;
    c_.notice(Notice::Kind::fork, c_.self(),
              "gateway " + job_->gateway.to_string() + " has another branch of " + log.to_string() +
                  " from entry " + std::to_string(last + 1) + " on, where this database wrote " +
                  std::to_string(head - last) + " entries");
  }
  if (log.epoch == c_.epoch) origin_.begin_epoch(now);
  if (job_->first && ours_stays(*job_->first, last)) {
    uplink_.show(log, {job_->first->seq, job_->first->seq}, 0);
    ignore(now);
    return next(now);
  }
  job_->found = true;
  job_->at = last;
  job_->shared = hash;
  if (head > last && !job_->data.empty()) {
    control_ = std::exchange(job_, std::nullopt);
    return begin_data();
  }
  look(now);
}

// By the rule that storage follows. What nobody else has may as well move.
bool Rescue::ours_stays(const Job::Difference& first, Seq shared) const {
  const LogState& state = c_.table.find(job_->said.log)->state;
  if (state.sealed() && state.sealed()->last > shared) {
    const Hash* own = state.hash_after(state.sealed()->last);
    return own != nullptr && *own == state.sealed()->hash;
  }
  return uplink_.public_beyond(job_->said.log, shared) && first.own < first.theirs;
}

void Rescue::look(const Moment& now) {
  if (!job_ || !job_->found || job_->reading) return;
  if (!origin_.begin_move(job_->said.log)) return;
  const Seq head = c_.table.log(job_->said.log).state.head();
  if (head <= job_->at) return finish(now);
  read(job_->said.log, head);
}

// Track 0 waits for the data that is understood by what moves of it.
void Rescue::begin_data() {
  job_ = Job{};
  job_->gateway = control_->gateway;
  job_->said = control_->data.back();
  job_->needs_beyond = control_->at;
  control_->data.pop_back();
  read(job_->said.log, c_.table.log(job_->said.log).state.head());
}

void Rescue::finish(const Moment& now) {
  const bool sealed = c_.table.log(job_->said.log).state.sealed().has_value();
  if (!control_ && !sealed) origin_.end_logs(now, {job_->said});
  if (sealed) ignore(now);  // there is no more to say of it
  next(now);
}

void Rescue::settle(const Vector::Item& item, const std::vector<Vector::Item>& data) {
  uplink_.settle(item.log);
  for (const Vector::Item& each : data) uplink_.settle(each.log);
}

void Rescue::next(const Moment& now) {
  settle(job_->said, job_->data);
  origin_.end_move();
  job_.reset();
  if (!control_) {
    uplink_.settle_all();
    return uplink_.inquire();  // there may be other logs of that kind
  }
  if (!control_->data.empty()) return begin_data();
  job_ = std::exchange(control_, std::nullopt);
  look(now);
}

void Rescue::ignore(const Moment& now) {
  if (ignored_.size() >= kIgnoredMax) ignored_.clear();
  ignored_[{job_->gateway, job_->said.log}] = now.mono + kIgnoredFor;
}

// Gateways will say it again.
void Rescue::drop() {
  origin_.end_move();
  job_.reset();
  control_.reset();
  uplink_.settle_all();
}

void Rescue::give_up(const Moment& now, std::string why) {
  ignore(now);
  const Job job = *std::exchange(job_, std::nullopt);
  c_.refuse(job.gateway, {Errc::bad_signature, "a gateway speaks of another branch of " +
                                                   job.said.log.to_string() + " and " + why});
  control_.reset();
  uplink_.settle_all();
  if (!uplink_.confirmed()) uplink_.confirm(now);
}

// What is found goes on without the gateway.
void Rescue::on_link_down() {
  if (job_ && !job_->found) drop();
}

void Rescue::on_deadline(const Moment& now) {
  const std::optional<Instant> due = next_deadline();
  if (!due || now.mono < *due) return;
  if (job_->denied) return denied(now);
  if (job_->asked == kAsksMax) return give_up(now, "does not answer");
  ask(now, job_->proven ? job_->at : job_->said.head);
}

std::optional<Instant> Rescue::next_deadline() const {
  if (!job_ || job_->request == 0) return std::nullopt;
  return job_->asked_at + (job_->denied ? kReordering : kAnswerTimeout);
}

}  // namespace dunlin::replication
