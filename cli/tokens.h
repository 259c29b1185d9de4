#pragma once

#include <optional>
#include <string>

#include "common/base/time.h"
#include "common/security/certificate.h"
#include "common/security/token.h"

namespace dunlin::cli {

// What the operator's folder keeps of a token, in `tokens/ID.json` (0600): who it makes its bearer,
// until when, and whom it made that already. It is kept when it was used, as who lost the answer
// asks again.
struct Invitation {
  Bytes secret;
  security::Member member;
  UtcMicros until = 0;
  std::optional<NodeId> used_by;
};

Result<void> write_invitation(const std::string& folder, const std::string& id,
                              const Invitation& invitation);
// `not_found`; also for what is no id.
Result<Invitation> read_invitation(const std::string& folder, const std::string& id);

}  // namespace dunlin::cli
