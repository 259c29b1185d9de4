#include "common/runtime/interest.h"

#include <algorithm>

#include "common/security/certificate.h"

namespace dunlin::runtime {

namespace {

using Scope = replication::Interest::Scope;

constexpr char kLeft = '*';  // behind the scope

std::string text_of(Scope scope) {
  return std::to_string(static_cast<int>(scope));
}

}  // namespace

bool has_left_backbone(const std::string& text) {
  return text.size() > 1 && text[1] == kLeft;
}

std::string text_of(const replication::Interest& interest, const std::string& cell,
                    const std::string& former) {
  std::string text = text_of(interest.scope);
  const bool was_there = former.starts_with(text_of(Scope::fleet)) || has_left_backbone(former);
  if (was_there && interest.scope != Scope::fleet) text += kLeft;
  text += " " + cell;
  for (const replication::Followed& each : interest.follows)
    text += "\n" + (each.track ? std::to_string(each.track->value) : "*") + " " + each.node;
  return text;
}

bool is_unwanted(const replication::Interest& interest, const std::string& cell,
                 const KnownNode& node) {
  if (interest.scope == Scope::fleet) return false;
  const auto certificate = security::Certificate::from_der(node.certificate);
  const bool certified = certificate.ok() && certificate->member();
  const std::string& name = certified ? certificate->member()->name : node.name;
  if (covers(interest.follows, name, kControlTrack)) return false;
  if (interest.scope == Scope::own) return true;
  return certified && (certificate->member()->role == "gateway" ||
                       security::cells_of(certificate->member()->cell).front() != cell);
}

}  // namespace dunlin::runtime
