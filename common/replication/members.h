#pragma once

#include <map>
#include <memory>
#include <optional>

#include "common/log/admission.h"
#include "common/replication/messages.h"

namespace dunlin::replication {

// Who belongs to the fleet: whoever has shown, in a Hello of its own, a certificate of the fleet's
// authority. In a fleet without one everybody does.
class Members {
 public:
  explicit Members(std::shared_ptr<Admission> admission) : admission_(std::move(admission)) {}

  // What storage kept of a former Hello. It is examined when it first matters.
  void start(const NodeId& node, Bytes certificate);
  // Of a Hello that its key signed: `untrusted` unless its certificate says the same of it. True
  // when the certificate is news, to be kept.
  Result<bool> admit(const Hello& hello);
  // Whether what comes from that node counts: `untrusted` when it has shown no certificate.
  Result<void> check(const NodeId& node);

 private:
  struct Shown {
    Bytes certificate;
    std::optional<Admitted> says = {};  // nothing: not examined yet
  };

  std::shared_ptr<Admission> admission_;
  std::map<NodeId, Shown> shown_;
};

}  // namespace dunlin::replication
