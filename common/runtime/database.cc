#include "dunlin/database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/log/limits.h"
#include "common/runtime/interest.h"
#include "common/runtime/node.h"
#include "common/runtime/topics.h"
#include "common/security/bundle.h"
#include "common/security/keys.h"
#include "common/storage/forget.h"
#include "common/telemetry/log.h"
#include "common/transport/mqtt/broker_url.h"

namespace dunlin {

namespace {

using replication::TrackPolicy;

// The WAL comes on top of the database, so both together stay below the bound.
constexpr std::uint64_t kWalBytesMax = 4 * 1024 * 1024;
// An agent's flash is spared: a commit writes some three pages, however little it says.
constexpr std::uint64_t kAgentPageBytes = 1024;
constexpr std::uint64_t kAgentWalBytesMax = 256 * 1024;
constexpr std::uint64_t kWalShare = 8;
// What may be written before the next look at the space.
constexpr std::uint64_t kUnseenBytes = 512 * 1024;
// How much longer than max_age a reading may stay, since its segment is not old enough.
constexpr int kAgeShare = 8;

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

Result<void> check_names(const DatabaseOptions& options) {
  if (options.data_dir.empty()) return {Errc::invalid_argument, "a database needs a data_dir"};
  if (!runtime::is_topic_level(options.fleet))
    return {Errc::invalid_argument, "fleet name \"" + options.fleet + "\""};
  if (options.cells.empty()) return {Errc::invalid_argument, "a node belongs to a cell"};
  for (const std::string& cell : options.cells) {
    if (!runtime::is_cell_name(cell)) return {Errc::invalid_argument, "cell name \"" + cell + "\""};
  }
  if (options.tracks.empty()) return {Errc::invalid_argument, "a node has a track"};
  for (const TrackOptions& track : options.tracks) {
    if (track.flush_readings == 0 || track.flush_readings > kEntryReadingsMax) {
      return {Errc::invalid_argument, "track " + track.name + ": flush_readings is from 1 to " +
                                          std::to_string(kEntryReadingsMax)};
    }
  }
  return {};
}

Result<void> make_data_dir(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return {Errc::io, "cannot create " + path + ": " + error.message()};
  return {};
}

// Two writers with one key would fork their log. The kernel gives the lock back when the process
// ends, however it does.
class Lock {
 public:
  static Result<Lock> take(const std::string& path) {
    Lock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.fd_ < 0) return Error{Errc::io, path + ": " + std::strerror(errno)};
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno == EWOULDBLOCK)
      return Error{Errc::exists, "another process has the database open: " + path};
    return Error{Errc::io, path + ": " + std::strerror(errno)};
  }
  Lock() = default;
  ~Lock() {
    if (fd_ >= 0) ::close(fd_);
  }
  Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Lock& operator=(Lock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

std::vector<TrackPolicy> policies(const DatabaseOptions& options) {
  std::vector<TrackPolicy> out;
  for (const TrackOptions& track : options.tracks) {
    out.push_back({track.name, replication::track_of(track.name), track.flush_readings,
                   track.flush_bytes, track.flush_interval, track.bytes_max, track.overflow});
  }
  return out;
}

replication::Interest interest_of(const DatabaseOptions& options) {
  replication::Interest out{options.interest, {}};
  for (const FollowOptions& each : options.follows) {
    out.follows.push_back({each.node, {}});
    if (!each.track.empty()) out.follows.back().track = replication::track_of(each.track);
  }
  return out;
}

// Everybody has the authority's log. Nothing waits for this: what cannot go now goes the next time,
// and of a damaged file LogStore::open tells.
bool forget_unwanted(const std::string& path, const replication::ReplicaOptions& replica,
                     const std::string& interest, const NodeId& self,
                     const std::optional<NodeId>& authority,
                     const std::function<void()>& on_progress) {
  const auto unwanted = [&](const LogId& log, const KnownNode& node) {
    return log.node != self && log.node != authority &&
           runtime::is_unwanted(replica.interest, replica.cells.front(), node);
  };
  const Result<std::size_t> logs =
      storage::forget_logs(path, self, interest, unwanted, on_progress);
  if (!logs.ok()) log::warn("logs_not_forgotten", {{"error", logs.error().message()}});
  if (logs.ok() && *logs > 0) log::info("logs_forgotten", {{"logs", *logs}});
  return logs.ok();
}

void report_salvage(const storage::LogStore::Salvage& salvage) {
  log::error("database_damaged", {{"reason", salvage.reason},
                                  {"set_aside", salvage.set_aside},
                                  {"salvaged_segments", salvage.segments},
                                  {"salvaged_entries", salvage.entries},
                                  {"refused_segments", salvage.refused}});
}

}  // namespace

struct Database::Impl {
  Lock lock;  // given back last
  std::unique_ptr<security::NodeKey> key;
  std::unique_ptr<Verifier> verifier;
  std::string path;
  std::unique_ptr<runtime::Node> node;
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() {
  close();
}

Result<std::unique_ptr<Database>> Database::open(DatabaseOptions options) {
  DUNLIN_TRY(check_names(options));
  if (!options.on_progress) options.on_progress = [] {};
  options.on_progress();
  DUNLIN_TRY(make_data_dir(options.data_dir));
  const bool gateway = options.role == Role::gateway;
  auto impl = std::make_unique<Impl>();
  DUNLIN_ASSIGN(impl->lock, Lock::take(options.data_dir + "/lock"));
  DUNLIN_ASSIGN(impl->key, security::NodeKey::load_or_create(security::key_file(options.data_dir)));
  impl->verifier = gateway ? security::make_openssl_verifier() : security::make_mbedtls_verifier();
  impl->path = options.data_dir + "/log.db";

  runtime::NodeOptions node;
  node.fleet = options.fleet;
  node.replica.cells = options.cells;
  if (gateway || options.interest == InterestScope::fleet)
    node.replica.cells.emplace_back(kBackboneName);
  storage::LogStore::Options file;
  file.path = impl->path;
  file.fresh_epoch = Epoch{security::random_u64()};
  file.cache_bytes = gateway ? 8 * 1024 * 1024 : 128 * 1024;
  const std::uint64_t share = options.bytes_max / (kWalShare * options.shards);
  const std::uint64_t wal = gateway ? kWalBytesMax : kAgentWalBytesMax;
  file.wal_bytes_max = options.bytes_max == 0 ? wal : std::min(wal, share);
  if (!gateway) {
    file.page_bytes = kAgentPageBytes;
    file.wal_in_place = true;
  }
  const std::uint64_t reserve =
      options.shards * (file.wal_bytes_max + std::min(kUnseenBytes, share));
  const std::uint64_t bound = options.bytes_max - (options.bytes_max == 0 ? 0 : reserve);

  if (bound > 0)
    node.disk.look_bytes = std::clamp<std::uint64_t>(bound / 64, 16 * 1024, node.disk.look_bytes);

  // Whole segments go when their newest reading is too old: none may span much of that age.
  for (const TrackOptions& track : options.tracks) {
    const Track id = replication::track_of(track.name);
    if (gateway && track.bytes_max > 0) node.disk.retain_track_bytes[id] = track.bytes_max;
    if (track.age_max.count() == 0) continue;
    node.disk.retain_age[id] = track.age_max;
    file.compaction.span_max[id] = track.age_max / kAgeShare;
  }

  DUNLIN_ASSIGN(const std::optional<security::Membership> membership,
                security::load_membership(options.data_dir));
  if (membership) {
    if (membership->certificate.node() != impl->key->node())
      return {Errc::untrusted, options.data_dir + ": the certificate is of another key"};
    file.authority = membership->authority.node();
    node.replica.admission = security::make_admission(membership->authority);
    node.replica.certificate = membership->certificate.der();
  }
  std::string interest;
  bool forgotten = false;
  if (!gateway) {
    node.replica.interest = interest_of(options);
    const Result<std::string> former = storage::noted_interest(impl->path);
    interest = runtime::text_of(node.replica.interest, options.cells.front(),
                                former.ok() ? *former : std::string());
    node.left_backbone = runtime::has_left_backbone(interest);
    forgotten = forget_unwanted(impl->path, node.replica, interest, impl->key->node(),
                                file.authority, options.on_progress);
  }
  std::vector<storage::LogStore::Salvage> salvages;
  DUNLIN_ASSIGN(
      storage::Shards shards,
      storage::Shards::open(file, impl->key->node(), options.shards, *impl->verifier, salvages));
  options.on_progress();
  for (const auto& salvage : salvages) report_salvage(salvage);
  if (forgotten) {
    const Result<void> noted = storage::note_interest(impl->path, impl->key->node(), interest);
    if (!noted.ok()) log::warn("interest_not_noted", {{"error", noted.error().message()}});
  }
  const std::string id = boot_id();
  DUNLIN_ASSIGN(const std::uint64_t boot, shards.stores.front().note_boot(id));

  node.replica.role = gateway ? replication::Role::gateway : replication::Role::agent;
  node.replica.seed = security::random_u64();
  replication::OriginOptions& origin = node.replica.origin;
  origin.name = options.name;
  node.replica.uplink.pushes = !gateway;
  node.replica.receiver.archives = gateway;
  origin.tracks = policies(options);
  origin.stream_tracks = options.stream_tracks;
  origin.boot = boot;
  origin.boot_id = id;
  for (const std::string& hex : options.archive_gateways) {
    DUNLIN_ASSIGN(const NodeId archive, NodeId::from_string(hex));
    node.replica.uplink.archive.gateways.push_back(archive);
  }
  node.replica.uplink.archive.acks = options.archive_acks;
  if (gateway) {
    node.disk.refuse_below_free = options.disk_free_min;
    node.disk.retain_bytes = bound;
  } else {
    origin.storage_bytes_max = bound;
    origin.disk_free_min = options.disk_free_min;
    // Logs of others have what its own leave of half of it; the oldest go first.
    if (node.replica.interest.any()) node.disk.retain_bytes = bound / 2;
  }

  std::unique_ptr<Transport> transport;
  if (!options.broker_url.empty()) {
    options.transport.url = options.broker_url;
    std::vector<std::string> urls = options.transport.more_urls;
    urls.insert(urls.begin(), options.broker_url);
    for (const std::string& text : urls) {
      const Result<BrokerUrl> url = BrokerUrl::parse(text);
      if (!url.ok() || !url->is_exposed()) continue;
      node.broker_exposed = true;
      log::warn("broker_exposed", {{"url", text}});
    }
    options.transport.client_id = "dunlin-" + impl->key->node().to_string().substr(0, 16);
    options.transport.seed = security::random_u64();
    DUNLIN_ASSIGN(transport, make_transport(options.transport));
  }
  std::unique_ptr<Verifier> ahead;
  if (gateway && std::thread::hardware_concurrency() > 1) ahead = security::make_openssl_verifier();
  DUNLIN_ASSIGN(impl->node,
                runtime::Node::start(std::move(node), std::move(shards), std::move(transport),
                                     *impl->key, *impl->verifier, std::move(ahead)));
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Result<void> Database::append(const StreamSchema& schema, Rows rows, std::stop_token stop) {
  return impl_->node->append(schema, std::move(rows), false, std::move(stop));
}

Result<void> Database::append_since_boot(const StreamSchema& schema, Rows rows,
                                         std::stop_token stop) {
  return impl_->node->append(schema, std::move(rows), true, std::move(stop));
}

Result<void> Database::flush(std::chrono::milliseconds timeout) {
  return impl_->node->flush(timeout);
}
std::string Database::node_id() const {
  return impl_->key->node().to_string();
}
std::string Database::path() const {
  return impl_->path;
}
void Database::close() {
  impl_->node->stop();
}
runtime::Node& Database::node() {
  return *impl_->node;
}

}  // namespace dunlin
