// Somebody on the broker writes on behind an agent's log, signed with a key of his own. No gateway
// takes it, and the agent's own entries arrive as if nothing had been.
#include "common/codec/segment_codec.h"
#include "common/runtime/topics.h"
#include "tests/simulation/run.h"

namespace dunlin::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// One more entry behind what is held of the agent's log, by a key that is not its own.
void forge(Cluster& cluster, Signer& stranger) {
  SimNode& agent = cluster.node(cluster.first_agent());
  const Result<SimStore::Contents> contents = agent.contents();
  if (!contents.ok() || !agent.up()) return;
  for (const LogState& state : contents->logs) {
    if (state.id().track == kControlTrack || state.head() == 0) continue;
    Chain chain;
    const Entry entry{state.head() + 1, Hlc::of(1, 0), {TimeAnchor{1, "forged", 1, 1, 1}}};
    (void)chain.add(entry, state.head_hash());
    const auto built = build_segments(state.id(), state.head_hash(), 1, chain, stranger);
    replication::Segments message;
    message.segments.push_back(built->front().bytes);
    cluster.inject(runtime::topic_name("sim", "cell", replication::TopicClass::live, agent.id()),
                   replication::encode_envelope({Nonce{1}, 1, std::move(message)}));
  }
}

RunResult run(const RunOptions& options) {
  ClusterOptions fleet = random_options(options.seed);
  fleet.trace = options.trace;
  Cluster cluster(fleet);
  const std::unique_ptr<Signer> stranger = fixed_key(99);
  cluster.append_randomly(milliseconds(200), 20, seconds(30));
  for (int n = 5; n < 30; ++n) cluster.after(seconds(n), [&] { forge(cluster, *stranger); });
  cluster.run_for(seconds(35));
  return finish(cluster, settle(cluster, {.crashes = false, .settles_within = minutes(1)}));
}

const Register kThis{{"forged_segments", "entries signed by a stranger", run}};

}  // namespace
}  // namespace dunlin::simulation
