#include "common/base/ids.h"

#include <algorithm>

namespace dunlin {

Result<NodeId> NodeId::from_string(std::string_view hex) {
  DUNLIN_ASSIGN(const Bytes bytes, from_hex(hex));
  NodeId id;
  if (bytes.size() != id.bytes.size()) return {Errc::malformed, "a node id has 32 hex digits"};
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

}  // namespace dunlin
