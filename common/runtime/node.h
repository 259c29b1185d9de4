#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "common/replication/replica.h"
#include "common/runtime/disks.h"
#include "common/runtime/mailbox.h"
#include "common/runtime/muted.h"
#include "common/runtime/read_ahead.h"
#include "common/telemetry/rate_limit.h"
#include "dunlin/transport.h"

namespace dunlin::runtime {

struct NodeOptions {
  std::string fleet;
  bool broker_exposed = false;  // neither encrypted nor on this machine
  bool left_backbone = false;   // what may stand there of a former time is taken away
  replication::ReplicaOptions replica;
  DiskOptions disk;
  // Of messages that wait (see Mailbox), and half as much again of what answers a Fetch.
  std::size_t mailbox_bytes_max = 16 * 1024 * 1024;
  Duration muted_for = std::chrono::minutes(1);  // who floods (see Muted)
};

// Drives one replica with a real clock, a store and a transport: one loop thread that owns the
// replica and lends it to who appends, one disk thread for each file of the database, perhaps one
// that reads ahead, and the transport's own. Nothing is shared but the mailbox, where the bulk lane
// comes behind all else. All public functions may be called from any thread.
class Node final : public NodeView, private TransportEvents {
 public:
  // The keys must outlive the node. `transport` may be null: a node that only keeps its own log.
  // With `ahead` messages that wait are prepared on a thread of its own, which checks with it: for
  // who hears many, and has a core for it.
  static Result<std::unique_ptr<Node>> start(NodeOptions options, storage::Shards shards,
                                             std::unique_ptr<Transport> transport, Signer& signer,
                                             Verifier& verifier,
                                             std::unique_ptr<Verifier> ahead = {});
  ~Node() override;

  // Takes readings into the log. Returns when they are accepted in memory, which waits while the
  // disk is behind; flush() makes them durable. Errors as for replication::Append; `closed` when
  // stopped.
  Result<void> append(StreamSchema schema, Rows rows, bool since_boot, std::stop_token stop = {});
  // Everything appended before is on the disk when this returns.
  Result<void> flush(std::chrono::milliseconds timeout);

  NodeReport report() override;
  bool revoked(const NodeId& who) override;
  bool keeps_other_cells() override;
  bool connected() const override { return connected_; }
  DiskState disk_state() const override { return disks_->state(); }
  void on_replicated(OnReplicated callback) override;
  // Called after each connection to the broker, also to one that there is already, and now and then
  // during its handshake; on any thread, one at a time.
  void on_connection(std::function<void()> callback);

  // Flushes, says good-bye to the broker and stops. Idempotent.
  void stop();

  static Moment now();

 private:
  using Task = Mailbox::Task;
  struct Parked {
    replication::Append append;
    std::shared_ptr<std::promise<Result<void>>> result;
  };

  Node(NodeOptions options, std::unique_ptr<Transport> transport, Signer& signer,
       Verifier& verifier, std::unique_ptr<Verifier> ahead);

  void on_handshake() override;
  void on_connected() override;
  void on_disconnected(const Error& reason) override;
  void on_message(std::string_view topic, ByteView payload, bool retained) override;

  void post(Task task);
  // What the loop says of the replica; `ended` when there is none any more.
  bool ask(std::function<bool(const replication::Replica&)> question, bool ended);
  bool work_waits() const;                   // under mutex_
  Instant next_wake(Instant current) const;  // in turn, under mutex_
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  void run();
  void tell_of_connection();
  void step(const Moment& now, replication::Input input);
  void retry_parked(const Moment& now);
  void carry_out(const Moment& now);
  void read_ahead(replication::Lane lane, replication::Received message);
  void read_message(const Moment& now, replication::Received message);
  void read_messages();
  void read_bulk();
  void send(const replication::Send& send);
  void leave_backbone();
  void mute(const Muted::Writer& writer, const std::string& topic);
  std::vector<Transport::Subscription> all_subscriptions() const;
  void listen();
  void tell(const Moment& now, const replication::Notice& notice);

  NodeOptions options_;
  replication::Replica replica_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Disks> disks_;

  std::mutex stop_mutex_;
  // Who has it may do the loop's work: the loop while it is awake, or who appends while it sleeps
  // and has nothing to do, which spares two changes of threads. Taken before mutex_.
  std::mutex turn_;
  std::mutex mutex_;
  std::condition_variable wake_;
  Instant wakes_at_{};      // the loop, of itself
  std::deque<Task> tasks_;  // of this machine
  Mailbox mailbox_;         // messages
  Mailbox bulk_;            // what answers a Fetch: one at a time, after all that waits
  Muted muted_;             // who writes too much of them
  Instant live_at_{};       // when the last live segments came
  bool closing_ = false;    // no more appends
  bool stopping_ = false;   // the loop ends when its tasks are done
  bool ended_ = false;      // it has

  std::condition_variable durable_changed_;
  replication::Ticket last_ticket_ = 0;     // guarded by mutex_
  replication::Ticket durable_ticket_ = 0;  // guarded by mutex_

  std::mutex connection_mutex_;
  std::function<void()> on_connection_;  // guarded by connection_mutex_
  std::atomic<bool> connected_{false};
  std::atomic<std::uint64_t> messages_dropped_{0};

  // The loop's own.
  std::deque<Parked> parked_;  // appends that wait for room, in their order
  bool flush_wanted_ = false;
  ReadAhead ahead_;    // whose turn has come
  Instant bulk_at_{};  // the bulk lane rests until then
  // Reads for the bulk lane: one at a time, and while little stands in line before the broker, so
  // that what is live waits for little there. The oldest may be given up: who wants it asks anew.
  std::deque<replication::Read> bulk_reads_;
  std::optional<replication::Token> bulk_reading_;  // is under way
  std::uint64_t refused_ = 0;                       // messages and segments
  std::uint64_t mutes_ = 0;
  bool listens_narrowly_ = false;  // not to everybody
  bool listens_anew_ = false;      // to others than before, when messages were read
  OnReplicated on_replicated_;
  RateLimit notices_;
  std::thread thread_;
};

}  // namespace dunlin::runtime
