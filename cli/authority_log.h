#pragma once

#include <string>
#include <vector>

#include "common/security/keys.h"
#include "common/storage/log_store.h"

namespace dunlin::cli {

// The log of the fleet's authority: an ordinary log.db in the fleet's folder, written by `dunlin`
// alone. It holds an Open and every Revoke.
class AuthorityLog {
 public:
  // Creates and opens it when there is none. `key` must outlive it. `corrupt` where it is damaged:
  // what gateways have of it is to be put back by hand.
  static Result<AuthorityLog> open(const std::string& path, security::NodeKey& key, UtcMicros now,
                                   const std::string& fleet);

  // One entry, durable when this returns.
  Result<void> append(UtcMicros now, Op op);
  // What counts of the revocations, by node.
  Result<std::map<NodeId, Revoke>> revocations();
  // All of it as the message that brokers retain.
  Result<Bytes> message();

 private:
  AuthorityLog(storage::LogStore store, security::NodeKey& key)
      : store_(std::move(store)), key_(&key) {}

  storage::LogStore store_;
  security::NodeKey* key_;
};

}  // namespace dunlin::cli
