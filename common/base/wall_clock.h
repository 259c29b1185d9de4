#pragma once

#include <string>

#include "common/base/time.h"

namespace dunlin {

// The system's clock, beyond 2038 on every processor. Drivers and command lines ask it; the core
// never does.
UtcMicros utc_now();

// "2026-11-22T09:30:00.250Z".
std::string utc_text(UtcMicros time);

}  // namespace dunlin
