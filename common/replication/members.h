#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/log/admission.h"
#include "common/log/entry.h"
#include "common/log/segment.h"
#include "common/replication/messages.h"

namespace dunlin::replication {

// Who belongs to the fleet: whoever has shown, in a Hello of its own, a certificate of the fleet's
// authority, and was not revoked in the authority's log. In a fleet without an authority everybody
// does.
class Members {
 public:
  explicit Members(std::shared_ptr<Admission> admission) : admission_(std::move(admission)) {}

  // Null in an open fleet.
  const NodeId* authority() const { return admission_ ? &admission_->authority() : nullptr; }

  // What storage kept of a former Hello. It is examined when it first matters.
  void start(const NodeId& node, Bytes certificate);
  // Of a Hello that its key signed: `untrusted` unless its certificate says the same of it,
  // `revoked`. True when it is to be kept: there was none, or it is newer. A former one admits its
  // node still, and changes nothing of what counts.
  Result<bool> admit(const Hello& hello);
  // Of a certificate that somebody else shows: its node is known from now on. Returns it unless it
  // was known before. One signature check. An open fleet needs none.
  Result<std::optional<NodeId>> introduce(const Bytes& certificate);
  // Of an agent: whether it may have the logs of others in its cell; in the whole fleet.
  bool may_keep_cell(const NodeId& node) const;
  bool may_keep_fleet(const NodeId& node) const;
  // Whether it may be in that cell, by its certificate; in an open fleet everybody may.
  bool may_be_in(const NodeId& node, std::string_view cell) const;
  // As the authority calls it; null where it was not asked, or does not know it.
  const std::string* name_of(const NodeId& node) const;
  // Until when its certificate is good; 0 where none is known, or none was looked at yet.
  UtcMicros certified_until(const NodeId& node) const;
  // To introduce it to others; null where there is none.
  const Bytes* certificate_of(const NodeId& node);
  // Of an entry of the authority's log. The latest of a node counts.
  void revoke(Hlc at, const Revoke& revoke);
  // The nodes that were revoked since this was asked.
  std::vector<NodeId> take_revoked() { return std::exchange(news_, {}); }
  bool revoked(const NodeId& node) const { return revoked_.contains(node); }

  // Whether what that node says now counts: `untrusted` when it has shown no certificate,
  // `revoked`.
  Result<void> check(const NodeId& node);
  // Whether it was ever shown that it belongs here; in an open fleet everybody does.
  bool knows(const NodeId& node) const {
    return admission_ == nullptr || shown_.contains(node) || revoked_.contains(node) ||
           node == admission_->authority();
  }
  // Where a log of a node that was revoked ends: at 0 when nothing of it counts. Nothing of others.
  std::optional<Revoke::End> end_of(const LogId& log) const;
  // Whether entries of a log up to `last` count, whoever brings them. The authority has one log.
  Result<void> check(const LogId& log, Seq last);
  // The same of a segment that was read. The key of who was revoked proves nothing any more: it has
  // to end as the authority said, or a successor that did vouches for it.
  Result<void> check(const SegmentInfo& info, bool vouched) const;

 private:
  struct Shown {
    Bytes certificate;
    std::optional<Admitted> says = {};  // nothing: not examined yet
  };
  struct Revoked {
    Hlc at;
    Revoke revoke;
  };

  std::shared_ptr<Admission> admission_;
  std::map<NodeId, Shown> shown_;
  std::map<NodeId, Revoked> revoked_;
  std::vector<NodeId> news_;
};

}  // namespace dunlin::replication
