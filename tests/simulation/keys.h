#pragma once

#include <memory>

#include "common/log/admission.h"
#include "common/log/signer.h"

namespace dunlin::simulation {

// Keys of simulated nodes. Always the same for one number, so that runs repeat; they protect
// nothing.

std::unique_ptr<Signer> fixed_key(std::uint64_t number);  // ECDSA, as in production

// Stand-ins for large fleets: a signature is a keyed hash, and the key is known to everybody.
std::unique_ptr<Signer> light_key(std::uint64_t number);
std::unique_ptr<Verifier> make_light_verifier();

std::unique_ptr<Signer> authority_key(bool light);  // the fleet's

// The authority of a simulated fleet: its certificates are what it says of a node, signed.
Bytes fixed_certificate(Signer& authority, const Admitted& of);
std::unique_ptr<Admission> make_admission(const Signer& authority, Verifier& verifier);

}  // namespace dunlin::simulation
