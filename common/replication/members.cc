#include "common/replication/members.h"

namespace dunlin::replication {

void Members::start(const NodeId& node, Bytes certificate) {
  if (admission_ != nullptr && !certificate.empty()) shown_[node] = {std::move(certificate)};
}

Result<bool> Members::admit(const Hello& hello) {
  if (admission_ == nullptr) return false;
  const std::string who = "node " + hello.node.to_string();
  if (hello.certificate.empty()) return {Errc::untrusted, who + " shows no certificate"};
  const auto known = shown_.find(hello.node);
  const bool news = known == shown_.end() || known->second.certificate != hello.certificate;
  std::optional<Admitted> says = news ? std::nullopt : known->second.says;
  if (!says) {
    DUNLIN_ASSIGN(says, admission_->examine(hello.certificate));
  }
  if (*says != Admitted{hello.node, hello.role == Role::gateway, hello.name})
    return {Errc::untrusted, who + " is not what its certificate says"};
  shown_[hello.node] = {hello.certificate, std::move(says)};
  return news;
}

Result<void> Members::check(const NodeId& node) {
  if (admission_ == nullptr) return {};
  const auto known = shown_.find(node);
  const std::string who = "node " + node.to_string();
  if (known == shown_.end()) return {Errc::untrusted, who + " has shown no certificate"};
  if (known->second.says) return {};
  Result<Admitted> says = admission_->examine(known->second.certificate);
  if (!says.ok() || says->node != node) {
    shown_.erase(known);  // of another authority
    return {Errc::untrusted, who + " has shown no certificate of this fleet"};
  }
  known->second.says = *std::move(says);
  return {};
}

}  // namespace dunlin::replication
