#pragma once

#include <memory>

#include "common/log/signer.h"

namespace dunlin::simulation {

// Keys of simulated nodes. Always the same for one number, so that runs repeat; they protect
// nothing.

std::unique_ptr<Signer> fixed_key(std::uint64_t number);  // ECDSA, as in production

// Stand-ins for large fleets: a signature is a keyed hash, and the key is known to everybody.
std::unique_ptr<Signer> light_key(std::uint64_t number);
std::unique_ptr<Verifier> make_light_verifier();

}  // namespace dunlin::simulation
