#include "tests/simulation/sim_node.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/runtime/replica_start.h"
#include "common/runtime/topics.h"
#include "common/security/keys.h"
#include "tests/simulation/scale/heap.h"

namespace dunlin::simulation {

namespace {

using namespace replication;

constexpr UtcMicros kSimulationStart = 1'750'000'000'000'000;
constexpr std::string_view kFleet = "sim";
constexpr int kDeadlinesAtOnceMax = 200;
constexpr std::uint64_t kAmpleSpace = 1ULL << 40;
constexpr std::uint64_t kOperationsOfACommit = 40;  // about, on the disk

// What a PUBLISH of MQTT 5 takes. An agent names its few topics by aliases; gateways have more
// topics than a broker has aliases, and brokers use none.
std::size_t publish_bytes(std::size_t topic, std::size_t payload, bool acknowledged, bool alias) {
  std::size_t rest = 2 + (acknowledged ? 2 : 0) + 1 + (alias ? 3 : topic) + payload;
  std::size_t head = 2;
  for (std::size_t length = rest; length >= 128; length /= 128) head += 1;
  return head + rest;
}

}  // namespace

SimNode::SimNode(SimNodeOptions options, std::size_t index, std::shared_ptr<MemoryBus> bus,
                 SimObserver& observer)
    : options_(std::move(options)),
      index_(index),
      bus_(std::move(bus)),
      observer_(observer),
      key_(options_.light ? light_key(options_.key) : fixed_key(options_.key)),
      verifier_(options_.light ? make_light_verifier() : security::make_openssl_verifier()),
      random_(options_.seed),
      sensors_(random_.next(), (index + 1) * 10'000'000),
      medium_(options_.light ? make_memory_medium(random_.next(), authority_key(true)->node())
                             : make_disk_medium(random_.next(), authority_key(false)->node())) {
  const auto authority = authority_key(options_.light);
  const bool gateway = options_.replica.role == Role::gateway;
  options_.replica.admission = make_admission(*authority, *verifier_);
  options_.replica.certificate = fixed_certificate(
      *authority, {id(), gateway, options_.replica.origin.name, options_.replica.interest.any(),
                   options_.replica.interest.beyond_cell()});
  medium_->set_faults(options_.disk.faults);
}

SimNode::~SimNode() {
  if (transport_) transport_->stop(true);
}

Moment SimNode::moment() const {
  const ClockModel& clock = options_.clock;
  const Duration since_boot = now_ - booted_;
  const bool told = clock.synchronises_after && *clock.synchronises_after <= since_boot;
  if (!clock.battery && !told) return {now_, since_boot.count(), false};
  const auto drift = since_boot.count() / 1'000'000 * clock.drift_ppm;
  return {now_, kSimulationStart + (now_.time_since_epoch() + clock.offset).count() + drift, true};
}

void SimNode::set_disk(DiskModel disk) {
  options_.disk = disk;
  medium_->set_faults(disk.faults);
}

// ---- life and death ----

Result<void> SimNode::open_store() {
  store_.reset();
  Result<std::unique_ptr<SimStore>> store = medium_->open(id(), Epoch{random_.next()}, *verifier_);
  if (!store.ok()) {
    if (store.error().code == Errc::corrupt)
      observer_.on_problem(options_.name +
                           " finds its database damaged: " + store.error().message());
    return store.error();
  }
  store_ = *std::move(store);
  return {};
}

bool SimNode::start(Instant now) {
  now_ = booted_ = now;
  if (!open_store().ok()) return false;
  Result<SimStore::Contents> contents = store_->load();
  if (!contents.ok()) return store_.reset(), false;
  observer_.on_opened(index_, *contents);
  options_.replica.seed = random_.next();
  options_.replica.origin.boot += 1;
  instance_ = Nonce{random_.next()};
  {
    const HeapOwner owner(heap_owner());
    replica_ = std::make_unique<Replica>(options_.replica, instance_, *key_, *verifier_);
    DUNLIN_CHECK(replica_->start(moment(), runtime::replica_start(*std::move(contents))).ok());
  }
  space_at_ = now + options_.space_every;
  committed_readings_ = ledger_.promised().size();
  counted_.clear();
  carry_out();

  TransportOptions link{.client_id = options_.name};
  transport_ = std::make_unique<MemoryTransport>(bus_, link);
  const Role role = options_.replica.role;
  const std::vector<std::string>& cells = options_.replica.cells;
  const Will will{runtime::will_topic(kFleet, cells, replica_->presence(), id()), replica_->will()};
  const Result<void> connected = transport_->start(
      *this, runtime::subscriptions(kFleet, cells, role, id(), options_.replica.interest.any()),
      will);
  DUNLIN_CHECK(connected.ok());
  return true;
}

void SimNode::crash(Death death) {
  if (!up()) return;
  bus_->kill(options_.name);
  transport_.reset();
  replica_.reset();
  std::vector<Write> under_way;
  for (Request& request : job_) {
    if (auto* write = std::get_if<Write>(&request)) under_way.push_back(std::move(*write));
  }
  if (store_ && !under_way.empty()) {
    if (death == Death::power) {
      medium_->cut_power_before(random_.below(kOperationsOfACommit));
    } else {
      under_way.resize(random_.below(under_way.size() + 1));
    }
    // It may have been stored before anybody could be told.
    if (!under_way.empty()) (void)store_batch(under_way);
  } else if (store_ && death == Death::power) {
    medium_->cut_power_before(random_.below(kOperationsOfACommit));
    (void)store_->compact_step();
  }
  death == Death::power ? medium_->cut_power() : medium_->kill();
  store_.reset();
  job_.clear();
  requests_.clear();
  writing_bytes_ = 0;
  ledger_.crashed();
  observer_.on_touched(index_);
}

void SimNode::reflash() {
  crash();
  store_.reset();
  medium_->wipe();
  ledger_.reflashed();
}

std::any SimNode::backup() {
  DUNLIN_CHECK(!up());
  store_.reset();
  return medium_->backup();
}

void SimNode::restore(const std::any& backup) {
  crash();
  store_.reset();
  medium_->restore(backup);
  ledger_.reflashed();
}

Result<SimStore::Contents> SimNode::contents() {
  if (!store_) DUNLIN_TRY(open_store());
  return store_->load();
}

// ---- what goes in ----

Result<void> SimNode::append(std::size_t rows_max) {
  const Moment at = moment();
  return append(sensors_.next(rows_max, at.utc, !at.synchronised));
}

Result<void> SimNode::append(Sensors::Batch batch) {
  batch.append.ticket = ++last_ticket_;
  const Ticket ticket = batch.append.ticket;
  Result<void> taken = take(batch.append);
  if (taken.ok()) ledger_.appended(ticket, std::move(batch));
  carry_out();
  return taken;
}

void SimNode::sample(const StreamSchema& schema, std::span<const std::int64_t> values) {
  const Moment at = moment();
  Append append{schema, Rows(values.size()), !at.synchronised, ++last_ticket_};
  append.rows.begin_row(at.utc);
  for (const std::int64_t value : values) append.rows.add_integer(value);
  if (!take(std::move(append)).ok()) observer_.on_problem(options_.name + " refuses a reading");
  carry_out();
}

void SimNode::append_mistake() {
  Append append{{"stream.0", {{"id", FieldType::int64, "", 0}}}, Rows(1), false, ++last_ticket_};
  append.rows.begin_row(0);
  append.rows.add_text("seven");
  if (take(std::move(append)).ok()) observer_.on_problem("text passed as a number");
  carry_out();
}

void SimNode::step(Input input) {
  if (!up()) return;
  now_ = std::max(now_, bus_->now());
  (void)take(std::move(input));
  carry_out();
}

Result<void> SimNode::take(Input input) {
  const HeapOwner owner(heap_owner());
  const auto began = std::chrono::steady_clock::now();
  Result<void> taken = replica_->step(moment(), std::move(input));
  busy_ += std::chrono::steady_clock::now() - began;
  return taken;
}

void SimNode::on_message(std::string_view topic, ByteView payload, bool retained) {
  received_.messages += 1;
  received_.bytes += publish_bytes(topic.size(), payload.size(), false, false);
  const auto parsed = runtime::parse_topic(kFleet, topic);
  if (!parsed) return observer_.on_problem("a topic that nobody wrote: " + std::string(topic));
  const auto cell = std::ranges::find(options_.replica.cells, parsed->cell);
  step(Received{parsed->topic, parsed->node, Bytes(payload.begin(), payload.end()), retained,
                static_cast<CellIndex>(cell - options_.replica.cells.begin())});
}

// ---- what comes out ----

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
    if (++outputs == options_.outputs_max)
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
      requests_.push(std::move(*write));
    } else if (auto* read = std::get_if<Read>(&*output)) {
      requests_.push(std::move(*read));
    } else if (auto* list = std::get_if<ListOldest>(&*output)) {
      requests_.push(std::move(*list));
    }
  }
  if (job_.empty()) begin_job();
  observer_.on_touched(index_);
}

void SimNode::send(const Send& send) {
  if (!transport_) return;
  const bool retained = is_retained(send.topic);
  for (const std::string& topic :
       runtime::topic_names(kFleet, options_.replica.cells, send, id())) {
    if (!transport_->publish(topic, send.payload, {.qos = retained ? 1 : 0, .retain = retained})
             .ok())
      continue;
    const bool alias = options_.replica.role == Role::agent;
    sent_.messages += 1;
    sent_.bytes += publish_bytes(topic.size(), send.payload.size(), retained, alias);
  }
}

// ---- the disk ----

void SimNode::begin_job() {
  if (requests_.empty()) return;
  job_ = requests_.next_round();
  const Duration spread = options_.disk.delay_max - options_.disk.delay_min;
  const auto more = random_.below(static_cast<std::uint64_t>(spread.count()) + 1);
  Duration::rep bytes = 0;
  for (const Request& request : job_) {
    const auto* write = std::get_if<Write>(&request);
    if (write == nullptr) continue;
    for (const SegmentRecord& segment : write->segments) bytes += std::ssize(*segment.bytes);
  }
  job_done_ = now_ + options_.disk.delay_min + Duration(static_cast<Duration::rep>(more)) +
              options_.disk.per_mebibyte * bytes / (1 << 20);
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
    if (const auto* read = std::get_if<Read>(&request)) answer(*read);
    if (const auto* list = std::get_if<ListOldest>(&request)) answer(*list);
  }
  finish_batch();
  if (up() && job_.empty()) begin_job();
  if (up() && job_.empty() && store_) compact();
}

// As runtime::Disk does it while nothing is asked of it.
void SimNode::compact() {
  const Result<std::uint64_t> merged = store_->compact_step();
  if (merged.ok()) {
    merged_ += *merged;
  } else if (merged.error().code != Errc::storage_full &&
             merged.error().code != Errc::backpressure) {
    reopen();
  }
}

void SimNode::answer(const Read& read) {
  const bool fails = !store_ || random_.unit() < options_.disk.read_fails;
  step(ReadFinished{read.token, fails ? Result<std::vector<StoredSegment>>(Errc::io, "simulated")
                                      : store_->read(read.log, read.interval, read.bytes_max)});
}

void SimNode::answer(const ListOldest& list) {
  step(OldestListed{list.token, store_ ? store_->oldest(list.log, list.bytes_min, list.from)
                                       : Result<std::vector<OldSegment>>(Errc::io, "simulated")});
}

Result<std::vector<WriteOutcome>> SimNode::store_batch(const std::vector<Write>& batch) {
  Changes changes = batch.front();
  for (std::size_t i = 1; i < batch.size(); ++i) changes.append(batch[i]);
  return store_->commit(changes);
}

// As runtime::Disk does it.
void SimNode::commit(std::vector<Write> batch) {
  const double luck = random_.unit();
  const DiskModel& disk = options_.disk;
  Result<std::vector<WriteOutcome>> outcomes{Errc::storage_full, "simulated"};
  if (luck >= disk.write_fails) {
    if (!store_) reopen();
    outcomes = store_ ? store_batch(batch) : Error{Errc::io, "the database cannot be opened"};
    if (luck < disk.write_fails + disk.write_unsure) outcomes = Error{Errc::io, "simulated"};
  }
  const bool all_store = std::all_of(batch.begin(), batch.end(),
                                     [](const Write& write) { return !write.segments.empty(); });
  if (!outcomes.ok() && batch.size() > 1 &&
      (outcomes.error().code != Errc::storage_full || !all_store)) {
    for (Write& write : batch) {
      if (up()) commit({std::move(write)});
    }
    return;
  }
  std::span<const WriteOutcome> rest;
  if (outcomes.ok()) rest = *outcomes;
  for (const Write& write : batch) {
    if (!up()) return;
    writing_bytes_ -= foreign_bytes(write);
    if (!outcomes.ok()) {
      step(WriteFinished{write.token, outcomes.error()});
      continue;
    }
    const auto mine = rest.first(write.segments.size());
    rest = rest.subspan(write.segments.size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const SegmentInfo& info = write.segments[i].info;
      // A commit that was reported as failed and went through is a duplicate the next time.
      const bool fork = mine[i].kind == WriteOutcome::Kind::fork;
      if (fork || info.log.node != id() || counted_[info.log].contains(info.interval())) continue;
      counted_[info.log].insert(info.interval());
      committed_readings_ += info.readings;
    }
    observer_.on_committed(index_, write, mine);
    step(WriteFinished{write.token, std::vector<WriteOutcome>(mine.begin(), mine.end())});
  }
  const bool doubtful = !outcomes.ok() && outcomes.error().code != Errc::storage_full &&
                        outcomes.error().code != Errc::backpressure;
  if (doubtful && up()) reopen();
}

void SimNode::reopen() {
  if (!open_store().ok()) return;
  const Result<SimStore::Contents> contents = store_->load();
  if (!contents.ok()) return store_.reset();
  observer_.on_opened(index_, *contents);
}

void SimNode::report_space() {
  space_at_ = now_ + options_.space_every;
  observer_.on_touched(index_);
  if (!store_) return;
  const Result<std::uint64_t> bytes = store_->used_bytes();
  if (!bytes.ok()) return;
  const std::uint64_t room = std::min(options_.disk.faults.bytes_max, kAmpleSpace);
  StorageUsed used{*bytes, room - std::min(room, *bytes), {}};
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
  if (up() && options_.space_every > Duration{} && space_at_ <= now_) report_space();
  for (int n = 0; up(); ++n) {
    const std::optional<Instant> due = replica_->next_deadline();
    if (!due || *due > now_) break;
    if (n == kDeadlinesAtOnceMax) {
      observer_.on_problem(options_.name + " spins on its deadlines");
      break;
    }
    step(DeadlinePassed{});
  }
  observer_.on_touched(index_);
}

std::optional<Instant> SimNode::next_deadline() const {
  if (!up()) return std::nullopt;
  std::optional<Instant> next = replica_->next_deadline();
  const auto sooner = [&](Instant at) { next = std::min(next.value_or(at), at); };
  if (!job_.empty()) sooner(job_done_);
  if (options_.space_every > Duration{}) sooner(space_at_);
  return next;
}

}  // namespace dunlin::simulation
