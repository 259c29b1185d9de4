#include "tests/simulation/sim_node.h"

#include <algorithm>
#include <filesystem>

#include "common/base/check.h"
#include "common/runtime/topics.h"

namespace dunlin::simulation {

namespace {

using namespace replication;

constexpr UtcMicros kSimulationStart = 1'750'000'000'000'000;
constexpr std::string_view kFleet = "sim";
constexpr Duration kSpaceEvery = std::chrono::seconds(1);
constexpr int kDeadlinesAtOnceMax = 200;
constexpr std::size_t kOutputsMax = 400;  // of one step
constexpr std::uint64_t kAmpleSpace = 1ULL << 40;

}  // namespace

SimNode::SimNode(SimNodeOptions options, std::size_t index, std::shared_ptr<MemoryBus> bus,
                 SimObserver& observer)
    : options_(std::move(options)),
      index_(index),
      bus_(std::move(bus)),
      observer_(observer),
      key_(fixed_key(options_.key)),
      verifier_(security::make_openssl_verifier()),
      random_(options_.seed),
      sensors_(random_.next(), (index + 1) * 10'000'000) {
  options_.replica.origin.name = options_.name;
}

SimNode::~SimNode() {
  if (transport_) transport_->stop(true);
}

Moment SimNode::moment() const {
  const UtcMicros since_boot = (now_ - booted_).count();
  if (!options_.knows_time) return {now_, since_boot, false};
  return {now_, kSimulationStart + now_.time_since_epoch().count(), true};
}

void SimNode::open_store() {
  store_.reset();
  Result<storage::LogStore> store = storage::LogStore::open(
      {.path = options_.folder + "/" + options_.name + ".db", .fresh_epoch = Epoch{random_.next()}},
      id(), *verifier_, nullptr);
  if (!store.ok())
    return observer_.on_problem(options_.name + " cannot open: " + store.error().message());
  store_ = *std::move(store);
}

void SimNode::start(Instant now) {
  now_ = booted_ = now;
  open_store();
  if (!store_) return;
  Result<storage::LogStore::Contents> contents = store_->load();
  DUNLIN_CHECK(contents.ok());
  ReplicaStart start{contents->epoch,
                     std::move(contents->logs),
                     {},
                     std::move(contents->own_streams),
                     std::move(contents->own_lost),
                     contents->own_hlc};
  for (auto& known : contents->nodes) start.nodes[known.node] = {known.public_key, known.name};
  options_.replica.seed = random_.next();
  options_.replica.origin.boot += 1;
  replica_ = std::make_unique<Replica>(options_.replica, Nonce{random_.next()}, *key_, *verifier_);
  const Result<void> started = replica_->start(moment(), std::move(start));
  DUNLIN_CHECK(started.ok());
  space_at_ = now + kSpaceEvery;
  committed_readings_ = ledger_.promised().size();
  carry_out();

  TransportOptions link{.client_id = options_.name};
  transport_ = std::make_unique<MemoryTransport>(bus_, link);
  const Role role = options_.replica.role;
  const Will will{
      runtime::topic_name(kFleet, "cell",
                          role == Role::gateway ? TopicClass::gate : TopicClass::hello, id()),
      replica_->will()};
  const Result<void> connected =
      transport_->start(*this, runtime::subscriptions(kFleet, {"cell"}, role, id()), will);
  DUNLIN_CHECK(connected.ok());
}

void SimNode::crash() {
  if (!up()) return;
  bus_->kill(options_.name);
  transport_.reset();
  replica_.reset();
  // A commit may have been done before anybody could be told; whole writes only, in their order.
  for (std::uint64_t n = random_.below(job_.size() + 1); n > 0; --n) {
    if (const auto* write = std::get_if<Write>(&job_.front())) {
      (void)store_->commit(write->segments, write->releases, write->acks);
    }
    job_.pop_front();
  }
  job_.clear();
  requests_.clear();
  writing_bytes_ = 0;
  store_.reset();
  ledger_.crashed();
}

void SimNode::reflash() {
  crash();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::filesystem::remove(options_.folder + "/" + options_.name + ".db" + suffix);
  }
  ledger_.reflashed();
}

Result<storage::LogStore::Contents> SimNode::contents() {
  if (!store_) open_store();
  if (!store_) return {Errc::io, "cannot open"};
  return store_->load();
}

Result<void> SimNode::append(std::size_t rows_max) {
  return append(sensors_.next(rows_max, moment().utc, !options_.knows_time));
}

Result<void> SimNode::append(Sensors::Batch batch) {
  batch.append.ticket = ++last_ticket_;
  const Ticket ticket = batch.append.ticket;
  Result<void> taken = replica_->step(moment(), batch.append);
  if (taken.ok()) ledger_.appended(ticket, std::move(batch));
  carry_out();
  return taken;
}

void SimNode::append_mistake() {
  Append append{{"stream.0", {{"id", FieldType::int64, "", 0}}}, Rows(1), false, ++last_ticket_};
  append.rows.begin_row(0);
  append.rows.add_text("seven");
  if (replica_->step(moment(), std::move(append)).ok())
    observer_.on_problem("text passed as a number");
  carry_out();
}

void SimNode::step(Input input) {
  if (!up()) return;
  now_ = std::max(now_, bus_->now());
  (void)replica_->step(moment(), std::move(input));
  carry_out();
}

void SimNode::on_message(std::string_view topic, ByteView payload, bool) {
  const auto parsed = runtime::parse_topic(kFleet, topic);
  if (!parsed) return observer_.on_problem("a topic that nobody wrote: " + std::string(topic));
  step(Received{parsed->topic, parsed->node, Bytes(payload.begin(), payload.end())});
}

std::size_t SimNode::foreign_bytes(const Write& write) const {
  std::size_t bytes = 0;
  for (const SegmentRecord& segment : write.segments) {
    if (segment.info.log.node != id()) bytes += segment.bytes->size();
  }
  return bytes;
}

void SimNode::carry_out() {
  std::size_t outputs = 0;
  while (std::optional<Output> output = replica_->poll()) {
    if (++outputs == kOutputsMax)
      observer_.on_problem(options_.name + " has too much to say at once");
    observer_.on_output(index_, *output);
    if (const auto* message = std::get_if<Send>(&*output)) {
      send(*message);
    } else if (const auto* durable = std::get_if<Durable>(&*output)) {
      ledger_.durable(durable->ticket);
      if (ledger_.promised().size() > committed_readings_) {
        observer_.on_problem(options_.name + " promises readings that are not committed");
      }
    } else if (auto* write = std::get_if<Write>(&*output)) {
      writing_bytes_ += foreign_bytes(*write);
      writing_bytes_peak_ = std::max(writing_bytes_peak_, writing_bytes_);
      requests_.emplace_back(std::move(*write));
    } else if (auto* read = std::get_if<Read>(&*output)) {
      requests_.emplace_back(std::move(*read));
    } else if (auto* list = std::get_if<ListOldest>(&*output)) {
      requests_.emplace_back(std::move(*list));
    }
  }
  if (job_.empty()) begin_job();
}

void SimNode::send(const Send& send) {
  if (!transport_) return;
  const bool presence = send.topic == TopicClass::hello || send.topic == TopicClass::gate;
  (void)transport_->publish(runtime::topic_name(kFleet, "cell", send.topic, send.target),
                            send.payload, {.qos = presence ? 1 : 0, .retain = presence});
}

// ---- the disk ----

void SimNode::begin_job() {
  if (requests_.empty()) return;
  job_ = std::exchange(requests_, {});
  const Duration spread = options_.disk.delay_max - options_.disk.delay_min;
  const auto more = random_.below(static_cast<std::uint64_t>(spread.count()) + 1);
  job_done_ = now_ + options_.disk.delay_min + Duration(static_cast<Duration::rep>(more));
}

void SimNode::finish_job() {
  std::deque<Request> job = std::exchange(job_, {});
  std::vector<Write> batch;
  const auto finish_batch = [&] {
    if (!batch.empty() && up()) commit(std::exchange(batch, {}));
  };
  for (Request& request : job) {
    if (!up()) return;
    if (auto* write = std::get_if<Write>(&request)) {
      batch.push_back(std::move(*write));
      continue;
    }
    finish_batch();
    if (const auto* read = std::get_if<Read>(&request)) {
      const bool fails = random_.unit() < options_.disk.read_fails;
      step(ReadFinished{read->token,
                        fails ? Result<std::vector<StoredSegment>>(Errc::io, "simulated")
                              : store_->read(read->log, read->interval, read->bytes_max)});
    } else {
      const auto& list = std::get<ListOldest>(request);
      step(OldestListed{list.token, store_->oldest(list.log, list.bytes_min)});
    }
  }
  finish_batch();
  if (up() && job_.empty()) begin_job();
}

void SimNode::commit(std::vector<Write> batch) {
  std::vector<SegmentRecord> segments;
  std::vector<Release> releases;
  std::vector<Acked> acks;
  for (const Write& write : batch) {
    segments.insert(segments.end(), write.segments.begin(), write.segments.end());
    releases.insert(releases.end(), write.releases.begin(), write.releases.end());
    acks.insert(acks.end(), write.acks.begin(), write.acks.end());
  }
  const double luck = random_.unit();
  Result<std::vector<WriteOutcome>> outcomes{Errc::storage_full, "simulated"};
  if (luck >= options_.disk.write_fails) outcomes = store_->commit(segments, releases, acks);
  if (luck >= options_.disk.write_fails && !outcomes.ok()) {
    observer_.on_problem(options_.name + " cannot commit: " + outcomes.error().message());
  }
  for (std::size_t i = 0; outcomes.ok() && i < segments.size(); ++i) {
    const bool fresh = (*outcomes)[i].kind == WriteOutcome::Kind::stored;
    if (fresh && segments[i].info.log.node == id())
      committed_readings_ += segments[i].info.readings;
  }
  if (luck >= options_.disk.write_fails &&
      luck < options_.disk.write_fails + options_.disk.write_unsure) {
    outcomes = Error{Errc::io, "simulated"};
    open_store();  // as runtime::Disk does after an I/O error
  }
  observer_.on_committed(index_);
  std::size_t next = 0;
  for (const Write& write : batch) {
    writing_bytes_ -= foreign_bytes(write);
    if (!outcomes.ok()) {
      step(WriteFinished{write.token, outcomes.error()});
      continue;
    }
    const auto begin = outcomes->begin() + static_cast<std::ptrdiff_t>(next);
    next += write.segments.size();
    step(WriteFinished{
        write.token,
        std::vector<WriteOutcome>(begin, outcomes->begin() + static_cast<std::ptrdiff_t>(next))});
  }
}

void SimNode::report_space() {
  space_at_ = now_ + kSpaceEvery;
  const Result<std::uint64_t> bytes = store_->used_bytes();
  DUNLIN_CHECK(bytes.ok());
  StorageUsed used{*bytes, kAmpleSpace, {}};
  for (const LogId& log : store_->logs()) {
    if (log.node == id() && log.track != kControlTrack) used.own[log] = store_->log_bytes(log);
  }
  step(std::move(used));
}

// ---- time ----

void SimNode::run(Instant now) {
  if (!up()) return;
  now_ = std::max(now_, now);
  if (!job_.empty() && job_done_ <= now_) finish_job();
  if (up() && options_.reports_space && space_at_ <= now_) report_space();
  for (int n = 0; up(); ++n) {
    const std::optional<Instant> due = replica_->next_deadline();
    if (!due || *due > now_) return;
    if (n == kDeadlinesAtOnceMax)
      return observer_.on_problem(options_.name + " spins on its deadlines");
    step(DeadlinePassed{});
  }
}

std::optional<Instant> SimNode::next_deadline() const {
  if (!up()) return std::nullopt;
  std::optional<Instant> next = replica_->next_deadline();
  const auto sooner = [&](Instant at) { next = std::min(next.value_or(at), at); };
  if (!job_.empty()) sooner(job_done_);
  if (options_.reports_space) sooner(space_at_);
  return next;
}

}  // namespace dunlin::simulation
