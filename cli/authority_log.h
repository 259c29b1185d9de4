#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/security/keys.h"
#include "common/storage/log_store.h"

namespace dunlin::cli {

// The log of the fleet's authority: an ordinary log.db in the fleet's folder, written by `dunlin`
// alone. It holds an Open and every Revoke.
class AuthorityLog {
 public:
  // With an Open alone; `exists` when there is one.
  static Result<AuthorityLog> create(const std::string& path, security::NodeKey& key, UtcMicros now,
                                     const std::string& fleet);
  // `not_found`; `corrupt` where it is damaged, and then it stays as it is: a log that began anew
  // would say nothing of who was revoked before.
  static Result<AuthorityLog> open(const std::string& path, const NodeId& authority);

  // One entry, durable when this returns, signed by the authority's key. `too_large` when the log
  // would not fit into a message any more, `malformed` when nobody could read it.
  Result<void> append(UtcMicros now, Op op, security::NodeKey& key);
  // What counts of the revocations, by node.
  Result<std::map<NodeId, Revoke>> revocations();
  // All of it as the message that brokers retain.
  Result<Bytes> message();

 private:
  static Result<AuthorityLog> open_store(const std::string& path, const NodeId& authority);
  explicit AuthorityLog(storage::LogStore store) : store_(std::move(store)) {}

  storage::LogStore store_;
};

}  // namespace dunlin::cli
