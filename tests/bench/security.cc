#include "tests/bench/security.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>

#include "common/base/owned.h"
#include "common/codec/segment_codec.h"
#include "common/log/chain.h"
#include "common/security/bundle.h"
#include "tests/bench/fleet.h"
#include "tests/bench/flush.h"
#include "tests/support/segment_maker.h"

namespace dunlin::bench {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kSegments = 64;
constexpr std::size_t kReadings = 100;  // of one segment, an entry each
constexpr auto kTime = std::chrono::seconds(3);

// How often in a second that can be done; false from `once` ends it with an error.
template <typename Once>
Result<double> per_second(Once once) {
  std::uint64_t done = 0;
  const auto begin = steady_clock::now();
  auto now = begin;
  for (; now < begin + kTime; now = steady_clock::now(), ++done) DUNLIN_TRY(once(done));
  return static_cast<double>(done) / std::chrono::duration<double>(now - begin).count();
}

Result<void> verify(Verifier& verifier, const test::SegmentMaker& maker, ByteView public_key,
                    const Bytes& bytes) {
  DUNLIN_ASSIGN(const SegmentHeader header, parse_segment(bytes));
  DUNLIN_ASSIGN(const DecodedSegment decoded, decode_segment(header));
  const Bytes statement = head_statement(maker.log(), decoded.info.last, decoded.info.after);
  return verifier.verify(public_key, statement, header.signature);
}

Result<void> measure_verifiers(Figures& figures) {
  test::SegmentMaker maker;
  std::vector<std::shared_ptr<const Bytes>> segments;
  for (std::size_t n = 0; n < kSegments; ++n) segments.push_back(maker.samples(kReadings).bytes);
  const Bytes& key = maker.key().public_key();
  const Bytes message(64, 7);
  DUNLIN_ASSIGN(const Signature signature, maker.key().sign(message));
  const std::pair<const char*, std::unique_ptr<Verifier>> verifiers[] = {
      {"mbedtls", security::make_mbedtls_verifier()},
      {"libcrypto", security::make_openssl_verifier()}};
  for (const auto& [name, verifier] : verifiers) {
    DUNLIN_ASSIGN(const double whole, per_second([&, v = verifier.get()](std::uint64_t n) {
                    return verify(*v, maker, key, *segments[n % kSegments]);
                  }));
    DUNLIN_ASSIGN(const double alone, per_second([&, v = verifier.get()](std::uint64_t) {
                    return v->verify(key, message, signature);
                  }));
    figures.push_back({.figure = "verified_segments_per_second",
                       .value = whole,
                       .unit = "1/s",
                       .system = name,
                       .batch = kReadings,
                       .higher_is_better = true});
    figures.push_back({.figure = "verified_signatures_per_second",
                       .value = alone,
                       .unit = "1/s",
                       .system = name,
                       .higher_is_better = true});
  }
  return {};
}

// Connects, shakes hands and leaves. Sessions are not resumed.
Result<void> shake_hands(SSL_CTX* context, std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Owned<SSL, SSL_free> ssl(SSL_new(context));
  const bool done = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                    SSL_set_fd(ssl.get(), fd) == 1 && SSL_connect(ssl.get()) == 1;
  ::close(fd);
  return done ? Result<void>{} : Error{Errc::io, "a TLS handshake with mosquitto failed"};
}

Result<void> measure_handshakes(Figures& figures) {
  DUNLIN_ASSIGN(const std::unique_ptr<test::Fleet> fleet, start_fleet(true));
  DUNLIN_ASSIGN(const std::string path, fleet->admit({.name = "client"}));
  std::ifstream file(path);
  DUNLIN_ASSIGN(const security::Bundle bundle,
                security::read_bundle(std::string(std::istreambuf_iterator<char>(file), {})));
  const test::TempDir folder;
  const std::string data = folder.path().string();
  DUNLIN_TRY(security::install(bundle, data));
  const Owned<SSL_CTX, SSL_CTX_free> context(SSL_CTX_new(TLS_client_method()));
  if (SSL_CTX_use_certificate_file(context.get(), security::certificate_file(data).c_str(),
                                   SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), security::key_file(data).c_str(),
                                  SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(context.get(), security::authority_file(data).c_str(),
                                    nullptr) != 1)
    return {Errc::io, "the client's certificate"};
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const std::uint16_t port = fleet->broker().port();
  DUNLIN_ASSIGN(const double rate,
                per_second([&](std::uint64_t) { return shake_hands(context.get(), port); }));
  figures.push_back({.figure = "tls_handshakes_per_second",
                     .value = rate,
                     .unit = "1/s",
                     .system = "mosquitto",
                     .higher_is_better = true});
  return {};
}

double value_of(const Figures& figures, const std::string& name) {
  for (const Figure& figure : figures) {
    if (figure.figure == name) return figure.value;
  }
  return 0;
}

Result<void> measure_tls(Figures& figures) {
  FlushOptions options{.intervals = {1}, .flushes = 256};
  DUNLIN_ASSIGN(const Figures plain, run_flush(options));
  options.tls = true;
  DUNLIN_ASSIGN(const Figures tls, run_flush(options));
  for (const auto& [name, added] : {std::pair("wire_bytes_per_flush", "tls_bytes_per_flush"),
                                    std::pair("sent_bytes_per_flush", "tls_bytes_sent_per_flush"),
                                    std::pair("rss_bytes", "tls_memory_bytes")}) {
    figures.push_back({.figure = added,
                       .value = value_of(tls, name) - value_of(plain, name),
                       .unit = "B",
                       .system = "dunlin",
                       .batch = 1,
                       .side = "agent"});
  }
  return {};
}

}  // namespace

Result<Figures> run_security() {
  Figures figures;
  DUNLIN_TRY(measure_verifiers(figures));
  DUNLIN_TRY(measure_handshakes(figures));
  DUNLIN_TRY(measure_tls(figures));
  return figures;
}

}  // namespace dunlin::bench
