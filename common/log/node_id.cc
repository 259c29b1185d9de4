#include <algorithm>

#include "common/base/sha256.h"
#include "common/log/signer.h"

namespace dunlin {

NodeId node_id_of(ByteView public_key) {
  const Hash hash = sha256(public_key);
  NodeId id;
  std::copy_n(hash.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

}  // namespace dunlin
