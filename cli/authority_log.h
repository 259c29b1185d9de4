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
  // would say nothing of who was revoked before. `key` must outlive it.
  static Result<AuthorityLog> open(const std::string& path, security::NodeKey& key);

  // One entry, durable when this returns. `too_large` when the log has no room for it in a message.
  Result<void> append(UtcMicros now, Op op);
  // What counts of the revocations, by node.
  Result<std::map<NodeId, Revoke>> revocations();
  // All of it as the message that brokers retain.
  Result<Bytes> message() { return message_with({}); }

 private:
  static Result<AuthorityLog> open(const std::string& path, security::NodeKey& key, Epoch epoch);
  Result<Bytes> message_with(const std::vector<SegmentRecord>& more);
  AuthorityLog(storage::LogStore store, security::NodeKey& key)
      : store_(std::move(store)), key_(&key) {}

  storage::LogStore store_;
  security::NodeKey* key_;
};

}  // namespace dunlin::cli
