#include "common/runtime/node.h"

#include <algorithm>

#include "common/base/wall_clock.h"
#include "common/runtime/replica_start.h"
#include "common/runtime/topics.h"
#include "common/security/keys.h"
#include "common/telemetry/log.h"

namespace dunlin::runtime {

namespace {

using namespace replication;

constexpr auto kIdleWait = std::chrono::seconds(60);
constexpr std::size_t kNamedFiltersMax = 4096;        // that are asked for instead of everybody's
constexpr auto kStopFlush = std::chrono::seconds(3);  // a stop takes 5 at most
constexpr std::size_t kBulkUnsentBytes = 32 * 1024;   // the bulk lane waits while more is unsent
constexpr Duration kUnsentLook = std::chrono::milliseconds(2);
constexpr std::size_t kBulkReadsMax = 64;
// While live segments come, the bulk lane rests as long as it worked.
constexpr Duration kLiveComes = std::chrono::milliseconds(200);
// So many of the bulk lane are taken at once for who reads ahead, while nothing live comes.
constexpr std::size_t kBulkAhead = 4;
// Messages are read for so long before the disk's answers are looked at again.
constexpr Duration kReadingTime = std::chrono::milliseconds(2);

std::string_view notice_name(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::refused:
      return "message_refused";
    case Notice::Kind::fork:
      return "fork_detected";
    case Notice::Kind::epoch_begun:
      return "epoch_begun";
    case Notice::Kind::clone:
      return "clone_detected";
    case Notice::Kind::revoked:
      return "node_revoked";
    case Notice::Kind::lost:
      return "entries_lost";
    case Notice::Kind::peer_up:
      return "peer_up";
    case Notice::Kind::peer_down:
      return "peer_down";
    case Notice::Kind::storage_failed:
      return "storage_failed";
  }
  return "notice";
}

}  // namespace

Moment Node::now() {
  const auto mono = std::chrono::steady_clock::now().time_since_epoch();
  const UtcMicros utc = utc_now();
  return {Instant(std::chrono::duration_cast<Duration>(mono)), utc, utc >= kEarliestPlausibleUtc};
}

Node::Node(NodeOptions options, std::unique_ptr<Transport> transport, Signer& signer,
           Verifier& verifier, std::unique_ptr<Verifier> ahead)
    : options_(std::move(options)),
      replica_(options_.replica, Nonce{security::random_u64()}, signer, verifier),
      transport_(std::move(transport)),
      mailbox_(options_.mailbox_bytes_max),
      bulk_(options_.mailbox_bytes_max / 2),
      muted_(options_.muted_for),
      ahead_(std::move(ahead)) {}

Result<std::unique_ptr<Node>> Node::start(NodeOptions options, storage::Shards shards,
                                          std::unique_ptr<Transport> transport, Signer& signer,
                                          Verifier& verifier, std::unique_ptr<Verifier> ahead) {
  options.disk.node = signer.node();

  std::unique_ptr<Node> node(
      new Node(std::move(options), std::move(transport), signer, verifier, std::move(ahead)));
  node->disks_ = std::make_unique<Disks>(
      node->options_.disk, std::move(shards.stores), std::move(shards.placement), verifier,
      [n = node.get()](Input input) {
        n->post([n, input = std::move(input)](const Moment& now) { n->step(now, input); });
      });
  DUNLIN_TRY(node->replica_.start(now(), replica_start(std::move(shards.contents))));
  node->post([n = node.get()](const Moment& moment) { n->carry_out(moment); });
  node->thread_ = std::thread([n = node.get()] { n->run(); });
  if (node->transport_ != nullptr) {
    const ReplicaOptions& replica = node->options_.replica;
    Will will{
        will_topic(node->options_.fleet, replica.cells, node->replica_.presence(), signer.node()),
        node->replica_.will()};
    DUNLIN_TRY(node->transport_->start(*node, node->all_subscriptions(), std::move(will)));
  }
  return node;
}

Node::~Node() {
  stop();
}

void Node::stop() {
  const std::lock_guard one_at_a_time(stop_mutex_);
  if (!thread_.joinable()) {
    if (disks_ != nullptr) disks_->stop();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;  // what is appended from here on is refused, so nothing taken is left behind
  }
  (void)flush(kStopFlush);
  if (transport_ != nullptr) transport_->stop(false);  // the will tells the others
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  durable_changed_.notify_all();
  thread_.join();
  disks_->stop();
}

// ---- callers ----

void Node::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

Result<void> Node::append(StreamSchema schema, Rows rows, bool since_boot, std::stop_token stop) {
  auto result = std::make_shared<std::promise<Result<void>>>();
  std::future<Result<void>> done = result->get_future();
  // Drivers hand over whole batches and wait here, so the mailbox holds at most one per caller.
  auto append = std::make_shared<Append>(Append{std::move(schema), std::move(rows), since_boot, 0});
  const Task take = [this, append, result](const Moment& now) {
    parked_.push_back({std::move(*append), result});
    retry_parked(now);
  };
  bool wake = true;
  {
    std::unique_lock turn(turn_, std::try_to_lock);
    std::unique_lock lock(mutex_);
    if (closing_) return {Errc::closed, "the node is stopping"};
    append->ticket = ++last_ticket_;
    const Moment moment = now();
    if (turn.owns_lock() && !work_waits() && moment.mono < wakes_at_) {
      lock.unlock();
      take(moment);
      lock.lock();
      const Instant wakes_at = next_wake(moment.mono);
      wake = wakes_at < wakes_at_;
      wakes_at_ = std::min(wakes_at_, wakes_at);
    } else {
      tasks_.push_back(take);
    }
  }
  if (wake) wake_.notify_one();
  while (done.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
    if (!stop.stop_requested()) continue;
    // Too late to take it back if the loop has it; give it a moment, then leave it to its fate.
    if (done.wait_for(std::chrono::milliseconds(100)) == std::future_status::ready) break;
    return {Errc::closed, "stopped while waiting for the disk"};
  }
  return done.get();
}

Result<void> Node::flush(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const Ticket ticket = last_ticket_;
  tasks_.push_back([this](const Moment& now) {
    flush_wanted_ =
        !parked_.empty();  // those who still wait for room are flushed after they got it
    step(now, Flush{});
  });
  wake_.notify_one();
  const bool done = durable_changed_.wait_for(
      lock, timeout, [&] { return durable_ticket_ >= ticket || stopping_; });
  if (!done) return {Errc::timeout, "readings are not on the disk yet"};
  if (durable_ticket_ < ticket) return {Errc::closed, "the node stopped"};
  return {};
}

void Node::on_replicated(OnReplicated callback) {
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> taken = done->get_future();
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    tasks_.push_back([this, done, callback = std::move(callback)](const Moment&) {
      on_replicated_ = callback;
      done->set_value();
    });
  }
  wake_.notify_one();
  taken.wait();  // the former callback is not running any more, and never will
}

void Node::on_connection(std::function<void()> callback) {
  {
    const std::lock_guard lock(connection_mutex_);
    on_connection_ = std::move(callback);
  }
  if (connected_) tell_of_connection();
}

void Node::tell_of_connection() {
  const std::lock_guard lock(connection_mutex_);
  if (on_connection_) on_connection_();
}

bool Node::ask(std::function<bool(const Replica&)> question, bool ended) {
  auto promise = std::make_shared<std::promise<bool>>();
  std::future<bool> future = promise->get_future();
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return ended;
    tasks_.push_back([this, promise, question = std::move(question)](const Moment&) {
      promise->set_value(question(replica_));
    });
  }
  wake_.notify_one();
  return future.get();
}

// Once it has ended nothing is answered any more.
bool Node::revoked(const NodeId& who) {
  return ask([who](const Replica& replica) { return replica.revoked(who); }, true);
}

bool Node::keeps_other_cells() {
  return ask([](const Replica& replica) { return replica.keeps_other_cells(); }, true);
}

// In parts, between which the loop does what else there is.
NodeReport Node::report() {
  std::vector<replication::NodeStatus> nodes;
  for (;;) {
    auto promise = std::make_shared<std::promise<NodeReport>>();
    std::future<NodeReport> future = promise->get_future();
    {
      const std::lock_guard lock(mutex_);
      if (ended_) return {};
      const std::optional<NodeId> after =
          nodes.empty() ? std::nullopt : std::optional(nodes.back().node);
      tasks_.push_back([this, promise, after](const Moment& now) {
        NodeReport part{.now = now,
                        .self = replica_.self(),
                        .epoch = replica_.epoch(),
                        .nodes = replica_.status(now, after ? &*after : nullptr, kReportNodes),
                        .stats = replica_.stats(),
                        .connected = connected_,
                        .broker_exposed = options_.broker_exposed,
                        .messages_dropped = messages_dropped_,
                        .mutes = mutes_,
                        .disk = disks_->state()};
        {
          const std::lock_guard waiting(mutex_);
          part.messages_waiting = mailbox_.messages() + bulk_.messages();
          part.messages_waiting_bytes = mailbox_.bytes() + bulk_.bytes();
        }
        promise->set_value(std::move(part));
      });
    }
    wake_.notify_one();
    NodeReport report = future.get();
    const bool last = report.nodes.size() < kReportNodes;
    std::move(report.nodes.begin(), report.nodes.end(), std::back_inserter(nodes));
    if (!last) continue;
    report.nodes = std::move(nodes);
    return report;
  }
}

// ---- the transport's thread ----

void Node::on_handshake() {
  tell_of_connection();
}

void Node::on_connected() {
  post([this](const Moment& now) {
    log::info("broker_connected");
    connected_ = true;
    step(now, LinkUp{});
    leave_backbone();
    tell_of_connection();
  });
}

void Node::on_disconnected(const Error& reason) {
  post([this, reason](const Moment& now) {
    if (connected_.exchange(false)) log::warn("broker_lost", {{"reason", reason.message()}});
    step(now, LinkDown{});
  });
}

void Node::on_message(std::string_view topic, ByteView payload, bool retained) {
  const std::optional<ParsedTopic> parsed = parse_topic(options_.fleet, topic);
  if (!parsed) return;
  log::debug("received", {{"topic", topic}, {"bytes", payload.size()}});
  if (parsed->topic == TopicClass::inbox && parsed->reader != replica_.self()) return;
  const std::vector<std::string>& cells = options_.replica.cells;
  const auto cell = std::ranges::find(cells, parsed->cell);
  if (cell == cells.end()) return;
  const std::size_t size = payload.size() + 128;
  const bool bulk = peek_lane(payload) == Lane::bulk;
  const auto task = [&]() -> Task {
    return [this, lane = bulk ? Lane::bulk : Lane::live,
            message = Received{parsed->topic, parsed->node, Bytes(payload.begin(), payload.end()),
                               retained, static_cast<CellIndex>(cell - cells.begin())}](
               const Moment&) mutable { read_ahead(lane, std::move(message)); };
  };
  {
    const std::lock_guard lock(mutex_);
    const Instant current = now().mono;
    const bool taken = (bulk ? bulk_ : mailbox_).push(parsed->node, size, current, task);
    if (!taken) {
      messages_dropped_ += 1;  // the bus is lossy by contract; repair fetches what mattered
      const Muted::Writer writer{static_cast<CellIndex>(cell - cells.begin()), parsed->node};
      if (!muted_.refused(writer, size, current)) return;
      tasks_.push_back(
          [this, writer, on = std::string(topic)](const Moment&) { mute(writer, on); });
    } else if (parsed->topic == TopicClass::live) {
      live_at_ = current;
    }
  }
  wake_.notify_one();
}

// Its turn has come. Nothing is prepared of strangers, of what carries no segments, nor of what
// gateways hand on to each other, which may be here: the replica may refuse all of that for less.
void Node::read_ahead(Lane lane, Received message) {
  const bool pushed = message.topic == TopicClass::live || message.topic == TopicClass::bulk;
  const bool handed_on = pushed && options_.replica.cells[message.cell] == kBackboneName;
  const bool wanted = (pushed && !handed_on) || message.topic == TopicClass::inbox;
  const Bytes* const key = wanted ? replica_.key_of(message.topic_node) : nullptr;
  ahead_.add(lane, std::move(message), key);
}

void Node::read_message(const Moment& now, Received message) {
  const NodeId sender = message.topic_node;
  // What answers a Fetch decodes to much, and was asked for.
  const bool live = message.topic == TopicClass::live;
  const std::size_t bytes = message.payload.size();
  const std::uint64_t prepared = message.prepared.cost();
  const std::uint64_t refused = refused_, decoded = replica_.stats().decoded_bytes;
  step(now, std::move(message));
  const std::uint64_t used = replica_.stats().decoded_bytes - decoded;
  const std::uint64_t in_vain = prepared - std::min(prepared, used);
  const std::size_t cost = cost_besides(bytes, (live ? used : 0) + in_vain, refused_ != refused);
  if (cost == 0) return;
  const std::lock_guard lock(mutex_);
  mailbox_.charge(sender, cost);
  bulk_.charge(sender, cost);
}

// ---- the loop ----

// When there is something to do that nobody has to bring.
Instant Node::next_wake(Instant current) const {
  Instant at = current + kIdleWait;
  if (const auto deadline = replica_.next_deadline()) at = std::min(at, *deadline);
  if (!bulk_reads_.empty() && !bulk_reading_) at = std::min(at, current + kUnsentLook);
  if (const auto end = muted_.deadline()) at = std::min(at, *end);
  return at;
}

bool Node::work_waits() const {
  return stopping_ || !tasks_.empty() || !mailbox_.empty();
}

// Until work waits or is due.
void Node::wait_for_work(std::unique_lock<std::mutex>& lock) {
  while (!work_waits()) {
    const bool bulk = !bulk_.empty() || ahead_.size(Lane::bulk) > 0;
    const Instant until = bulk ? std::min(wakes_at_, bulk_at_) : wakes_at_;
    if (now().mono >= until) break;
    wake_.wait_until(lock, std::chrono::steady_clock::time_point(until.time_since_epoch()));
  }
}

void Node::run() {
  std::unique_lock turn(turn_);
  while (true) {
    std::deque<Task> tasks;
    std::deque<Task> bulk;
    bool live_comes = false;
    {
      std::unique_lock lock(mutex_);
      wakes_at_ = next_wake(now().mono);
      turn.unlock();
      wait_for_work(lock);
      lock.unlock();
      turn.lock();
      lock.lock();
      if (stopping_ && tasks_.empty()) {
        ended_ = true;
        break;
      }
      const Instant current = now().mono;
      if (muted_.lift(current)) listens_anew_ = true;
      tasks = std::exchange(tasks_, {});
      live_comes = current < live_at_ + kLiveComes;
      const std::size_t room = ahead_.has_thread() && !live_comes ? kBulkAhead : 1;
      while (!bulk_.empty() && ahead_.size(Lane::bulk) + bulk.size() < room)
        bulk.push_back(bulk_.take());
    }
    for (Task& task : tasks) {
      task(now());
      task = nullptr;
    }
    for (Task& task : bulk) task(now());
    read_messages();
    if (std::exchange(listens_anew_, false)) listen();
    if (ahead_.size(Lane::bulk) > 0 && now().mono >= bulk_at_) {
      const Moment begin = now();
      read_message(begin, ahead_.take(Lane::bulk));
      const Instant end = now().mono;
      bulk_at_ = live_comes ? end + (end - begin.mono) : end;
    }
    read_bulk();
    const Moment moment = now();
    const std::optional<Instant> deadline = replica_.next_deadline();
    if (deadline && *deadline <= moment.mono) step(moment, DeadlinePassed{});
  }
  for (Parked& parked : parked_) parked.result->set_value({Errc::closed, "the node is stopping"});
  parked_.clear();
}

// Round after round while nothing else waits, or for a short time.
void Node::read_messages() {
  const Instant end = now().mono + kReadingTime;
  do {
    std::deque<Task> round;
    {
      const std::lock_guard lock(mutex_);
      if (mailbox_.empty()) return;
      mailbox_.take_round(round);
    }
    for (Task& task : round) {
      task(now());
      task = nullptr;
    }
    while (ahead_.size(Lane::live) > 0) read_message(now(), ahead_.take(Lane::live));
  } while (now().mono < end);
}

void Node::step(const Moment& now, Input input) {
  const auto* read = std::get_if<ReadFinished>(&input);
  if (read != nullptr && read->token == bulk_reading_) bulk_reading_.reset();
  const bool frees = !std::holds_alternative<Received>(input);  // messages make no room
  const Result<void> result = replica_.step(now, std::move(input));
  if (!result.ok()) log::error("step_failed", {{"error", result.error().message()}});
  carry_out(now);
  if (frees) retry_parked(now);
}

// Appends are taken in the order in which they came; who finds no room waits for what happens next.
void Node::retry_parked(const Moment& now) {
  while (!parked_.empty()) {
    const Result<void> result = replica_.step(now, parked_.front().append);
    carry_out(now);
    if (!result.ok() && result.error().code == Errc::backpressure) return;
    parked_.front().result->set_value(result);
    parked_.pop_front();
    if (flush_wanted_ && parked_.empty()) {
      flush_wanted_ = false;
      (void)replica_.step(now, Flush{});
      carry_out(now);
    }
  }
}

void Node::carry_out(const Moment& now) {
  while (std::optional<Output> output = replica_.poll()) {
    if (auto* item = std::get_if<Send>(&*output)) {
      send(*item);
    } else if (auto* durable = std::get_if<Durable>(&*output)) {
      {
        const std::lock_guard lock(mutex_);
        durable_ticket_ = std::max(durable_ticket_, durable->ticket);
      }
      durable_changed_.notify_all();
    } else if (auto* replicated = std::get_if<Replicated>(&*output)) {
      const auto appended = static_cast<UtcMicros>(replicated->hlc.millis() * 1000);
      if (log::enabled(log::Level::debug)) {
        log::debug("replicated", {{"log", replicated->log.to_string()},
                                  {"last", replicated->last},
                                  {"readings", replicated->readings},
                                  {"durable_us", now.utc}});
      }
      if (on_replicated_) on_replicated_(*replicated, Duration(now.utc - appended));
    } else if (auto* notice = std::get_if<Notice>(&*output)) {
      if (notice->kind == Notice::Kind::refused) refused_ += 1;
      if (notice->kind == Notice::Kind::peer_up && listens_narrowly_) listens_anew_ = true;
      tell(now, *notice);
    } else if (auto* read = std::get_if<Read>(&*output); read && read->lane == Lane::bulk) {
      if (bulk_reads_.size() == kBulkReadsMax) bulk_reads_.pop_front();
      bulk_reads_.push_back(*read);
    } else {
      disks_->submit(std::move(*output));
    }
  }
}

void Node::read_bulk() {
  if (bulk_reads_.empty() || bulk_reading_) return;
  if (transport_ != nullptr && transport_->unsent_bytes() > kBulkUnsentBytes) return;
  bulk_reading_ = bulk_reads_.front().token;
  disks_->submit(bulk_reads_.front());
  bulk_reads_.pop_front();
}

void Node::send(const Send& send) {
  if (transport_ == nullptr) return;
  const bool retained = is_retained(send.topic);
  const PublishOptions how{.qos = retained ? 1 : 0, .retain = retained};
  for (const std::string& topic :
       topic_names(options_.fleet, options_.replica.cells, send, replica_.self())) {
    const Result<void> sent = transport_->publish(topic, send.payload, how);
    if (!sent.ok()) {
      log::debug("publish_failed", {{"message", send.message}, {"error", sent.error().message()}});
      continue;
    }
    log::debug("sent",
               {{"topic", topic}, {"message", send.message}, {"bytes", send.payload.size()}});
  }
}

// At each connection, since a will that speaks of a former one may come late. It does not listen
// there, where it would find it.
void Node::leave_backbone() {
  if (!options_.left_backbone) return;
  const std::string topic =
      topic_name(options_.fleet, kBackboneName, presence_topic(true), replica_.self());
  const Result<void> sent = transport_->publish(topic, {}, {.qos = 1, .retain = true});
  if (!sent.ok()) log::debug("publish_failed", {{"error", sent.error().message()}});
}

std::vector<Transport::Subscription> Node::all_subscriptions() const {
  const ReplicaOptions& replica = options_.replica;
  return subscriptions(options_.fleet, replica.cells, replica.role, replica_.self(),
                       replica.interest.any());
}

void Node::mute(const Muted::Writer& writer, const std::string& topic) {
  mutes_ += 1;
  log::event(log::Level::warn, "node_muted", {{"node", writer.node.to_string()}, {"topic", topic}});
  listens_anew_ = true;
}

// To everybody, but in a cell where somebody is muted to those others alone who were heard there:
// a filter cannot name whom it leaves out.
void Node::listen() {
  if (transport_ == nullptr) return;
  std::set<Muted::Writer> muted;
  {
    const std::lock_guard lock(mutex_);
    muted = muted_.writers();
  }
  std::vector<Transport::Subscription> all = all_subscriptions();
  const std::vector<std::string>& cells = options_.replica.cells;
  for (CellIndex cell = 0; cell < cells.size(); ++cell) {
    const auto here = [&](const Muted::Writer& writer) { return writer.cell == cell; };
    if (std::ranges::none_of(muted, here)) continue;
    std::vector<NodeId> writers = replica_.met_in(cell);
    std::erase_if(writers, [&](const NodeId& node) { return muted.contains({cell, node}); });
    all = narrowed(std::move(all), options_.fleet, cells[cell], writers);
  }
  // Of so many the broker may refuse some: a flood is better than silence.
  listens_narrowly_ = !muted.empty() && all.size() <= kNamedFiltersMax;
  if (!listens_narrowly_) all = all_subscriptions();
  transport_->listen(std::move(all));
}

// Once per peer and minute, so that a hostile peer cannot fill the log.
void Node::tell(const Moment& now, const Notice& notice) {
  const std::string_view name = notice_name(notice.kind);
  const std::string peer = notice.node.to_string();
  const auto repeated = notices_.pass(std::string(name) + peer, now.mono);
  if (!repeated) return;
  const bool good = notice.kind == Notice::Kind::peer_up || notice.kind == Notice::Kind::peer_down;
  log::event(good ? log::Level::info : log::Level::warn, name,
             {{"node", peer}, {"detail", notice.detail}, {"repeated", *repeated}});
}

}  // namespace dunlin::runtime
