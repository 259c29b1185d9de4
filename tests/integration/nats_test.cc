// The same fleet on a NATS cluster, of which a node crashes under load. MQTT 3.1.1, without rights.
#include "tests/integration/broken_node.h"

namespace dunlin {
namespace {

TEST(Nats, ANodeMayCrashUnderLoad) {
  DUNLIN_START_NODES(nats, test::cluster_nats(3));
  // 2, not one that others cannot do without: they are all alike.
  test::lose_a_node(*nats, 2, "protocol = 4\nqos = 0\n");
}

}  // namespace
}  // namespace dunlin
