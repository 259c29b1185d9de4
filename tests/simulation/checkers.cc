#include "tests/simulation/checkers.h"

#include <algorithm>

#include "common/codec/segment_codec.h"
#include "common/log/limits.h"

namespace dunlin::simulation {

namespace {

using Contents = SimStore::Contents;

class Reader {
 public:
  Reader(const std::map<std::uint64_t, Reading>& appended, Holdings& out)
      : appended_(appended), out_(out) {}

  // Track 0 of an epoch comes first, so that streams are known when their readings come.
  void read(SimStore& store, const LogState& state) {
    log_ = state.id();
    out_.logs[log_].state = state;
    if (state.head() == 0) return;
    const auto stored = store.read(log_, {1, state.head()}, ~std::uint64_t{0});
    if (!stored.ok()) return problem(stored.error().message());
    for (auto it = stored->rbegin(); it != stored->rend(); ++it) take(*it);
    IntervalSet found;
    for (const auto& [seq, hash] : out_.logs[log_].entries) found.insert({seq, seq});
    if (found != state.held()) problem("the state claims other entries than those stored");
  }

 private:
  void problem(const std::string& what) { out_.problems.push_back(log_.to_string() + ": " + what); }

  void take(const StoredSegment& segment) {
    const Result<SegmentHeader> header = parse_segment(segment.bytes);
    if (!header.ok()) return problem(header.error().message());
    const Result<DecodedSegment> decoded = decode_segment(*header);
    const Result<EntryHashes> hashes = entry_hashes(*header);
    if (!decoded.ok() || !hashes.ok()) return problem("a stored segment does not decode");
    Holdings::Log& log = out_.logs[log_];
    const auto before = log.entries.find(header->first - 1);
    if (before != log.entries.end() && before->second != header->before)
      problem("the chain does not join");
    for (const Entry& entry : decoded->entries) {
      const auto [known, fresh] = log.entries.emplace(entry.seq, hashes->at(entry.seq));
      if (!fresh) {  // segments may overlap
        if (known->second != hashes->at(entry.seq))
          problem("entry " + std::to_string(entry.seq) + " is stored with two hashes");
        continue;
      }
      log.readings[entry.seq] = count_readings(entry);
      for (const Op& op : entry.ops) apply(entry, op);
    }
  }

  void apply(const Entry& entry, const Op& op) {
    if (const auto* define = std::get_if<Define>(&op)) {
      streams_[{log_.node, log_.epoch, define->id}] = define->schema;
    } else if (const auto* lost = std::get_if<Lost>(&op)) {
      Seq last = 0;
      for (const LostRange& range : lost->ranges) {
        if (range.first <= last || range.last < range.first)
          problem("Lost ranges are out of order");
        last = range.last;
      }
    } else if (const auto* samples = std::get_if<Samples>(&op)) {
      const auto schema = streams_.find({log_.node, log_.epoch, samples->stream});
      if (schema == streams_.end()) return problem("readings of a stream that is not defined");
      for (std::size_t row = 0; row < samples->rows.size(); ++row)
        take_row(entry, schema->second, *samples, row);
    }
  }

  void take_row(const Entry& entry, const StreamSchema& schema, const Samples& samples,
                std::size_t row) {
    const std::uint64_t id = id_of(schema, samples, row);
    const auto appended = appended_.find(id);
    if (appended == appended_.end())
      return problem("reading " + std::to_string(id) + " was never appended");
    const std::string mistake = compare(appended->second, schema, samples, row);
    if (!out_.readings.emplace(id, Holdings::Found{log_, entry.seq, mistake}).second) {
      problem("reading " + std::to_string(id) + " is there twice");
    }
    if (!mistake.empty()) problem("reading " + std::to_string(id) + " " + mistake);
  }

  const std::map<std::uint64_t, Reading>& appended_;
  Holdings& out_;
  LogId log_;
  std::map<std::tuple<NodeId, Epoch, std::uint64_t>, StreamSchema> streams_;
};

bool is_current(const LogId& log, const SimNode& agent, Epoch epoch) {
  return log.node == agent.id() && log.epoch == epoch;
}

// What one agent has of its own logs against what the gateway has of them. Of a sealed one the
// gateway may have more.
void compare_logs(SimNode& agent, const Holdings& here, const Holdings& there, Problems& problems) {
  for (const auto& held : here.logs) {
    const LogId& id = held.first;
    const auto& log = held.second;
    if (id.node != agent.id() || log.state.head() == 0) continue;
    const auto problem = [&](const std::string& what) {
      problems.push_back(id.to_string() + ": " + what);
    };
    const auto match = there.logs.find(id);
    if (match == there.logs.end()) {
      problem("is not at the gateway");
      continue;
    }
    const LogState& state = match->second.state;
    const bool same =
        state.head() == log.state.head() && state.head_hash() == log.state.head_hash();
    const bool more = log.state.sealed() && state.head() > log.state.head();
    if (!same && !more) problem("another head");
    if (!more && !state.missing().empty())
      problem(std::to_string(state.missing_count()) + " entries are missing");
    if (!more && state.lost() != log.state.lost()) problem("other entries are lost");
    for (const auto& [seq, hash] : log.entries) {
      const auto entry = match->second.entries.find(seq);
      if (entry == match->second.entries.end()) {
        if (!state.lost().contains(seq))
          problem("entry " + std::to_string(seq) + " is not at the gateway");
      } else if (entry->second != hash) {
        problem("entry " + std::to_string(seq) + " has another hash at the gateway");
      }
    }
  }
}

// How many readings the gateway knows to be lost and does not have after all.
std::uint64_t lost_readings(const Holdings& gateway, const NodeId& node) {
  std::uint64_t lost = 0;
  for (const auto& [id, log] : gateway.logs) {
    if (id.node != node) continue;
    lost += log.state.lost_readings();
    for (const auto& [seq, readings] : log.readings) {
      if (log.state.lost().contains(seq)) lost -= std::min(lost, readings);
    }
  }
  return lost;
}

}  // namespace

Holdings read_holdings(SimNode& node, const std::map<std::uint64_t, Reading>& appended) {
  Holdings out;
  const Result<Contents> contents = node.contents();
  if (!contents.ok()) {
    out.problems.push_back(contents.error().message());
    return out;
  }
  std::map<LogId, const LogState*> ordered;
  for (const LogState& state : contents->logs) ordered[state.id()] = &state;
  Reader reader(appended, out);
  for (const auto& [id, state] : ordered) reader.read(*node.store(), *state);
  return out;
}

std::map<std::uint64_t, Reading> all_readings(Cluster& cluster) {
  std::map<std::uint64_t, Reading> appended;
  for (std::size_t i = cluster.first_agent(); i < cluster.size(); ++i) {
    const auto& readings = cluster.node(i).ledger().readings();
    appended.insert(readings.begin(), readings.end());
  }
  return appended;
}

bool converged(Cluster& cluster) {
  std::map<std::size_t, std::map<LogId, LogState>> held;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster.gone(i)) continue;
    const Result<Contents> contents = cluster.node(i).contents();
    if (!contents.ok() || !cluster.node(i).disk_idle()) return false;
    for (const LogState& state : contents->logs) {
      const bool own = state.id().node == cluster.node(i).id();
      if (!own || is_current(state.id(), cluster.node(i), contents->epoch))
        held[i][state.id()] = state;
    }
  }
  for (std::size_t i = cluster.first_agent(); i < cluster.size(); ++i) {
    for (const std::size_t keeper : cluster.keepers_of(i)) {
      for (const auto& [id, state] : held[i]) {
        if (id.node != cluster.node(i).id() || state.head() == 0) continue;
        const auto match = held[keeper].find(id);
        if (match == held[keeper].end() || match->second.head() != state.head() ||
            !match->second.missing().empty() || match->second.lost() != state.lost()) {
          return false;
        }
      }
    }
  }
  return true;
}

namespace {

// Every reading that was promised is at the gateway, or told to be lost.
void check_promises(SimNode& agent, const Holdings& gateway, Expectations expected,
                    Problems& problems) {
  std::uint64_t absent = 0;
  for (const std::uint64_t id : agent.ledger().promised())
    absent += gateway.readings.contains(id) ? 0U : 1U;
  const std::uint64_t lost = lost_readings(gateway, agent.id());
  const bool counted = expected.losses && (absent == lost || (expected.crashes && absent < lost));
  if (absent > 0 && !counted) {
    problems.push_back(agent.client_id() + ": " + std::to_string(absent) +
                       " durable readings are not at the gateway, " + std::to_string(lost) +
                       " declared lost");
  } else if (absent == 0 && lost > 0 && !(expected.losses && expected.crashes)) {
    problems.push_back(agent.client_id() + ": readings declared lost that are not");
  }
}

void check_bounds(Cluster& cluster, Problems& problems) {
  for (std::size_t g = 0; g < cluster.gateways(); ++g) {
    SimNode& gateway = cluster.node(g);
    const replication::ReceiverOptions& bounds = gateway.options().replica.receiver;
    if (gateway.writing_bytes_peak() >
        bounds.writing_bytes_max + bounds.waiting_bytes_max + kMessageBytesMax) {
      problems.push_back(gateway.client_id() + " had too much to write at a time");
    }
  }
}

}  // namespace

Problems check_forks(Cluster& cluster, bool expected) {
  Problems problems;
  for (const LogId& log : cluster.audit().forked()) {
    if (!expected) problems.push_back(log.to_string() + " was written twice");
  }
  if (!expected) return problems;
  // A gateway has seen both branches, or the origin found out and ended the log.
  std::set<LogId> known;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster.gone(i)) continue;
    const Result<Contents> contents = cluster.node(i).contents();
    if (!contents.ok()) continue;
    known.insert(contents->forked.begin(), contents->forked.end());
    for (const LogState& state : contents->logs) {
      if (state.sealed()) known.insert(state.id());
    }
  }
  for (const LogId& log : cluster.audit().public_forks()) {
    if (!known.contains(log)) problems.push_back("nobody knows of the fork of " + log.to_string());
  }
  return problems;
}

Problems check_convergence(Cluster& cluster, Expectations expected) {
  Problems problems = cluster.problems();
  const auto add = [&](const Problems& more) {
    problems.insert(problems.end(), more.begin(), more.end());
  };
  const std::map<std::uint64_t, Reading> appended = all_readings(cluster);
  std::map<std::size_t, Holdings> held;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster.gone(i)) continue;
    held[i] = read_holdings(cluster.node(i), appended);
    add(held[i].problems);
  }
  for (std::size_t i = cluster.first_agent(); i < cluster.size(); ++i) {
    if (cluster.gone(i)) continue;
    for (const std::size_t keeper : cluster.keepers_of(i)) {
      compare_logs(cluster.node(i), held[i], held[keeper], problems);
      check_promises(cluster.node(i), held[keeper], expected, problems);
    }
  }
  check_bounds(cluster, problems);
  add(check_forks(cluster, expected.forks));
  if (problems.size() > 12) problems.resize(12);
  return problems;
}

Problems check_budgets(Cluster& cluster) {
  constexpr double kPerEntry = 8;    // its push, what repeats it, a Fetch
  constexpr double kPerHour = 150;   // one Vector in 30 s while something is not acknowledged
  constexpr double kPerMishap = 30;  // greetings, probes and what was missed
  const double hours = cluster.node_hours() / static_cast<double>(cluster.size());
  const double fixed = kPerMishap * (2 + static_cast<double>(cluster.mishaps())) + kPerHour * hours;
  Problems problems;
  const auto check = [&](std::size_t index, double budget) {
    const std::uint64_t sent = cluster.audit().sent_messages(index);
    if (static_cast<double>(sent) <= budget) return;
    problems.push_back(cluster.node(index).client_id() + " sent " + std::to_string(sent) +
                       " messages, with a budget of " + std::to_string(budget));
  };
  double all = 0;
  for (std::size_t i = cluster.first_agent(); i < cluster.size(); ++i) {
    const auto entries = static_cast<double>(cluster.audit().committed_entries(i));
    all += fixed + kPerEntry * entries;
    check(i, fixed + kPerEntry * entries);
  }
  for (std::size_t g = 0; g < cluster.gateways(); ++g) check(g, all);
  return problems;
}

}  // namespace dunlin::simulation
