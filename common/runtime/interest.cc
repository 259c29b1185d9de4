#include "common/runtime/interest.h"

#include <algorithm>

#include "common/security/certificate.h"

namespace dunlin::runtime {

std::string text_of(const replication::Interest& interest) {
  std::string text = std::to_string(static_cast<int>(interest.scope));
  for (const replication::Followed& each : interest.follows)
    text += "\n" + (each.track ? std::to_string(each.track->value) : "*") + " " + each.node;
  return text;
}

bool is_unwanted(const replication::Interest& interest, const std::string& cell, const LogId& log,
                 const KnownNode& known) {
  using Scope = replication::Interest::Scope;
  if (interest.scope == Scope::fleet || interest.covers(known.name, log.track)) return false;
  if (interest.scope == Scope::own) return true;
  const auto certificate = security::Certificate::from_der(known.certificate);
  if (!certificate.ok() || !certificate->member()) return false;
  const security::Member& member = *certificate->member();
  return member.role == "gateway" || security::cells_of(member.cell).front() != cell;
}

}  // namespace dunlin::runtime
