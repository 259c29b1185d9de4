#include "common/http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "common/base/owned.h"
#include "common/telemetry/log.h"

namespace dunlin::http {

namespace {

Error failed(Errc code, const std::string& what) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return {code, what + ": " + text.data()};
}

Result<std::shared_ptr<SSL_CTX>> make(const TlsFiles& files) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1)
    return failed(Errc::io, "TLS");
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate.c_str()) != 1)
    return failed(Errc::io, files.certificate);
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return failed(Errc::untrusted, files.key);
  if (SSL_CTX_check_private_key(context.get()) != 1)
    return failed(Errc::untrusted, files.key + " is not the key of " + files.certificate);
  if (SSL_CTX_load_verify_locations(context.get(), files.authority.c_str(), nullptr) != 1)
    return failed(Errc::io, files.authority);
  SSL_CTX_set_client_CA_list(context.get(), SSL_load_client_CA_file(files.authority.c_str()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_verify_depth(context.get(), 1);
  return context;
}

}  // namespace

void TlsFree::operator()(SSL* ssl) const {
  SSL_free(ssl);
}

Result<std::unique_ptr<TlsContext>> TlsContext::load(TlsFiles files) {
  std::unique_ptr<TlsContext> context(new TlsContext(std::move(files)));
  DUNLIN_TRY(context->read());
  return context;
}

TlsContext::Times TlsContext::changed() const {
  std::error_code none;
  return {std::filesystem::last_write_time(files_.certificate, none),
          std::filesystem::last_write_time(files_.key, none),
          std::filesystem::last_write_time(files_.authority, none)};
}

Result<void> TlsContext::read() {
  const Times times = changed();  // before: what changes meanwhile is seen the next time
  DUNLIN_ASSIGN(current_, make(files_));
  read_ = times;
  return {};
}

TlsSession TlsContext::session(int fd) {
  std::shared_ptr<SSL_CTX> context;
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_ >= std::chrono::seconds(1)) {
      looked_ = now;
      if (changed() != read_) {
        const Result<void> done = read();
        if (!done.ok()) log::warn("certificate_not_read", {{"error", done.error().message()}});
        if (done.ok()) log::info("certificate_read", {{"file", files_.certificate}});
      }
    }
    context = current_;
  }
  TlsSession session(SSL_new(context.get()));  // which keeps the context
  if (session == nullptr || SSL_set_fd(session.get(), fd) != 1) return nullptr;
  SSL_set_accept_state(session.get());
  return session;
}

Bytes client_certificate(const SSL& session) {
  const Owned<X509, X509_free> shown(SSL_get1_peer_certificate(&session));
  if (shown == nullptr) return {};
  const int size = i2d_X509(shown.get(), nullptr);
  if (size <= 0) return {};
  Bytes der(static_cast<std::size_t>(size));
  unsigned char* out = der.data();
  i2d_X509(shown.get(), &out);
  return der;
}

}  // namespace dunlin::http
