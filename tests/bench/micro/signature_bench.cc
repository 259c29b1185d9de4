// Per signature: P-256 by Mbed TLS, and checking it by either library.
#include <benchmark/benchmark.h>

#include "common/log/chain.h"
#include "common/security/keys.h"

namespace dunlin::bench {
namespace {

const Bytes& statement() {
  static const Bytes bytes = head_statement({}, 1, {});
  return bytes;
}
security::NodeKey& key() {
  static const std::unique_ptr<security::NodeKey> made = *security::NodeKey::generate();
  return *made;
}

void sign_mbedtls(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(key().sign(statement()));
  state.SetItemsProcessed(state.iterations());
}
void verify(benchmark::State& state, Verifier& verifier) {
  const Signature signature = *key().sign(statement());
  for (auto _ : state) {
    const Result<void> good = verifier.verify(key().public_key(), statement(), signature);
    if (!good.ok()) return state.SkipWithError(good.error().message().c_str());
  }
  state.SetItemsProcessed(state.iterations());
}
void verify_mbedtls(benchmark::State& state) {
  verify(state, *security::make_mbedtls_verifier());
}
void verify_openssl(benchmark::State& state) {
  verify(state, *security::make_openssl_verifier());
}

BENCHMARK(sign_mbedtls);
BENCHMARK(verify_mbedtls);
BENCHMARK(verify_openssl);

}  // namespace
}  // namespace dunlin::bench
