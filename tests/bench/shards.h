#pragma once

#include <cstdint>
#include <vector>

#include "dunlin/result.h"
#include "tests/bench/figures.h"

namespace dunlin::bench {

struct ShardsOptions {
  std::vector<std::size_t> shards = {1, 2};
  std::size_t origins = 8;
  std::size_t segments = 1500;  // of each origin
};

// What a gateway takes in with its storage in so many files: the node in this process, with its
// threads and a real disk, is handed signed segments of several origins as fast as it takes them,
// as if from the broker. `large` ones as in a backlog, `small` ones of agents that flush every
// reading, and these with a thread that scans all readings by SQL meanwhile (`mixed`). With how
// busy the loop and the disk threads were, in cores.
Result<std::vector<Figure>> run_shards(const ShardsOptions& options);

}  // namespace dunlin::bench
