#include "common/replication/members.h"

namespace dunlin::replication {

namespace {

Error refusal(Errc code, const NodeId& node, const char* why) {
  return {code, "node " + node.to_string() + why};
}

}  // namespace

void Members::start(const NodeId& node, Bytes certificate) {
  if (admission_ != nullptr && !certificate.empty()) shown_[node] = {std::move(certificate)};
}

Result<bool> Members::admit(const Hello& hello) {
  if (admission_ == nullptr) return false;
  if (revoked(hello.node)) return refusal(Errc::revoked, hello.node, " was revoked");
  if (hello.certificate.empty())
    return refusal(Errc::untrusted, hello.node, " shows no certificate");
  const auto known = shown_.find(hello.node);
  const bool same = known != shown_.end() && known->second.certificate == hello.certificate;
  std::optional<Admitted> says;
  if (same) says = known->second.says;
  if (!says) {
    DUNLIN_ASSIGN(says, admission_->examine(hello.certificate));
  }
  if (says->node != hello.node || says->gateway != (hello.role == Role::gateway) ||
      says->name != hello.name)
    return refusal(Errc::untrusted, hello.node, " is not what its certificate says");
  // Shown by turns they must not make us write for ever, nor undo what the authority said since.
  if (!same && check(hello.node).ok()) {
    const Admitted& counts = *shown_.at(hello.node).says;
    if (says->until < counts.until || *says == counts) return false;
  }
  shown_[hello.node] = {hello.certificate, std::move(says)};
  return !same;
}

Result<std::optional<NodeId>> Members::introduce(const Bytes& certificate) {
  if (admission_ == nullptr) return std::optional<NodeId>();
  DUNLIN_ASSIGN(Admitted says, admission_->examine(certificate));
  const NodeId node = says.node;
  if (revoked(node)) return refusal(Errc::revoked, node, " was revoked");
  const bool fresh = shown_.try_emplace(node, Shown{certificate, std::move(says)}).second;
  return fresh ? std::optional(node) : std::nullopt;
}

bool Members::may_keep_cell(const NodeId& node) const {
  if (admission_ == nullptr) return true;
  const auto shown = shown_.find(node);
  return shown != shown_.end() && shown->second.says && shown->second.says->keeper;
}

bool Members::may_keep_fleet(const NodeId& node) const {
  return may_keep_cell(node) && (admission_ == nullptr || shown_.at(node).says->fleet);
}

bool Members::may_be_in(const NodeId& node, std::string_view cell) const {
  if (admission_ == nullptr) return true;
  const auto shown = shown_.find(node);
  return shown != shown_.end() && admission_->is_for(shown->second.certificate, cell);
}

const std::string* Members::name_of(const NodeId& node) const {
  const auto shown = shown_.find(node);
  return shown == shown_.end() || !shown->second.says ? nullptr : &shown->second.says->name;
}

UtcMicros Members::certified_until(const NodeId& node) const {
  const auto shown = shown_.find(node);
  return shown == shown_.end() || !shown->second.says ? 0 : shown->second.says->until;
}

const Bytes* Members::certificate_of(const NodeId& node) {
  const auto shown = shown_.find(node);
  return shown == shown_.end() || !check(node).ok() ? nullptr : &shown->second.certificate;
}

void Members::revoke(Hlc at, const Revoke& revoke) {
  const auto [known, fresh] = revoked_.try_emplace(revoke.node, Revoked{at, revoke});
  if (fresh) return news_.push_back(revoke.node);
  if (known->second.at < at) known->second = {at, revoke};
}

Result<void> Members::check(const NodeId& node) {
  if (admission_ == nullptr) return {};
  if (revoked(node)) return refusal(Errc::revoked, node, " was revoked");
  const auto known = shown_.find(node);
  if (known == shown_.end()) return refusal(Errc::untrusted, node, " has shown no certificate");
  if (known->second.says) return {};
  Result<Admitted> says = admission_->examine(known->second.certificate);
  if (!says.ok() || says->node != node) {
    shown_.erase(known);  // of another authority
    return refusal(Errc::untrusted, node, " has shown no certificate of this fleet");
  }
  known->second.says = *std::move(says);
  return {};
}

std::optional<Revoke::End> Members::end_of(const LogId& log) const {
  const auto revoked = revoked_.find(log.node);
  if (revoked == revoked_.end()) return std::nullopt;
  const Revoke::End* end = revoked->second.revoke.end_of(log);
  return end == nullptr ? Revoke::End{log.epoch, log.track, 0, {}} : *end;
}

Result<void> Members::check(const LogId& log, Seq last) {
  if (admission_ != nullptr && log.node == admission_->authority() && log.track == kControlTrack)
    return {};
  const auto revoked = revoked_.find(log.node);
  if (revoked == revoked_.end()) return check(log.node);
  // The authority's word that it was a member is as good as its certificate.
  const Revoke::End* end = revoked->second.revoke.end_of(log);
  if (end == nullptr || last > end->last)
    return refusal(Errc::revoked, log.node, " was revoked before that");
  return {};
}

Result<void> Members::check(const SegmentInfo& info, bool vouched) const {
  const auto revoked = revoked_.find(info.log.node);
  if (revoked == revoked_.end()) return {};
  const Revoke::End* end = revoked->second.revoke.end_of(info.log);
  if (end != nullptr && end->last == info.last ? end->hash == info.after : vouched) return {};
  return refusal(Errc::revoked, info.log.node, " was revoked, and nothing vouches for that part");
}

}  // namespace dunlin::replication
