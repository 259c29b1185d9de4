#pragma once

#include "common/base/sha256.h"
#include "common/log/log_id.h"

namespace dunlin {

// The hash chain of a log (protocol, "Entries, hashes, segments"):
//   hash(0) = SHA-256("dunlin/1 log" || log)      log as log_id_bytes()
//   hash(n) = SHA-256(hash(n-1) || SHA-256(canonical(entry n)))
// Two levels, so that a fork is proven and a body erased without the bodies before it.
Hash chain_start(const LogId& log);
Hash chain_next(const Hash& previous, const Hash& entry_digest);

// What a segment's signature signs: "dunlin/1 head" || log || last (8, big endian) || hash(last).
Bytes head_statement(const LogId& log, Seq last, const Hash& hash);

}  // namespace dunlin
