#include "common/runtime/interest.h"

#include <algorithm>

#include "common/security/certificate.h"

namespace dunlin::runtime {

std::string text_of(const replication::Interest& interest, const std::string& cell) {
  std::string text = std::to_string(static_cast<int>(interest.scope)) + " " + cell;
  for (const replication::Followed& each : interest.follows)
    text += "\n" + (each.track ? std::to_string(each.track->value) : "*") + " " + each.node;
  return text;
}

bool is_unwanted(const replication::Interest& interest, const std::string& cell,
                 const KnownNode& node) {
  using Scope = replication::Interest::Scope;
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
