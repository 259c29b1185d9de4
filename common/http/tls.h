#pragma once

#include <openssl/types.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "dunlin/bytes.h"

namespace dunlin::http {

// By what a server speaks TLS, PEM files: its certificate and key, and the authority that signs
// those of its clients.
struct TlsFiles {
  std::string certificate;
  std::string key;
  std::string authority;
};

struct TlsFree {
  void operator()(SSL* ssl) const;
};
using TlsSession = std::unique_ptr<SSL, TlsFree>;

// TLS 1.2 or newer, by OpenSSL, which Paho links anyway. A client may show a certificate of the
// authority; one that shows none is let in as nobody, one that shows another is not let in. Threads
// may share it.
class TlsContext {
 public:
  // `io` when a file cannot be read, `untrusted` when key and certificate do not belong together.
  static Result<std::unique_ptr<TlsContext>> load(TlsFiles files);
  // The server's side of a connected socket, which has not shaken hands yet; null without memory.
  // Looks, once a second at most, whether the files changed: what they say counts from now on.
  // While they do not belong together, what they said before does.
  TlsSession session(int fd);

 private:
  using Times = std::array<std::filesystem::file_time_type, 3>;

  explicit TlsContext(TlsFiles files) : files_(std::move(files)) {}
  Times changed() const;
  Result<void> read();

  const TlsFiles files_;
  std::mutex mutex_;
  std::shared_ptr<SSL_CTX> current_;
  Times read_;  // as the files were
  std::chrono::steady_clock::time_point looked_{};
};

// DER, of the client; empty when it showed none.
Bytes client_certificate(const SSL& session);

}  // namespace dunlin::http
