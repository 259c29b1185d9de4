#pragma once

#include <string>
#include <vector>

#include "common/log/entry.h"

namespace dunlin::cli {

// How far the logs of a node go that a gateway has, by its /v1/nodes; none of a node that it does
// not know. The 256 longest, as a Revoke has room for so many. `url` is http://127.0.0.1:PORT: what
// it says is signed, so nobody may come between (`invalid_argument`). `io`
// when nobody answers.
Result<std::vector<Revoke::End>> ends_of(const std::string& url, const NodeId& node);

}  // namespace dunlin::cli
