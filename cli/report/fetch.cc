#include "cli/report/fetch.h"

#include <httplib.h>

#include "common/base/check.h"
#include "common/security/private_file.h"

namespace dunlin::cli {

namespace {

constexpr std::size_t kAnswerBytesMax = 256U << 20;

}  // namespace

Identity operator_of(const std::string& folder) {
  return {folder + "/operator.crt", folder + "/operator.key", folder + "/authority.crt"};
}

void Fetcher::Free::operator()(httplib::Client* client) const {
  delete client;
}

Result<Fetcher> Fetcher::make(const std::string& url, const std::optional<Identity>& identity) {
  const bool secure = url.starts_with("https://");
  if (!secure && !url.starts_with("http://"))
    return {Errc::invalid_argument, url + ": http://HOST:PORT or https://HOST:PORT"};
  const std::size_t path = std::min(url.find('/', secure ? 8 : 7), url.size());
  Fetcher made;
  made.url_ = url.substr(0, path);
  made.prefix_ = url.substr(path);
  while (made.prefix_.ends_with('/')) made.prefix_.pop_back();
  const bool shows = secure && identity;
  made.client_.reset(shows ? new httplib::Client(made.url_, identity->certificate, identity->key)
                           : new httplib::Client(made.url_));
  if (!made.client_->is_valid()) return {Errc::invalid_argument, url};
  made.client_->set_connection_timeout(10);
  made.client_->set_read_timeout(30);
  if (!secure) return made;
  DUNLIN_CHECK(SSL_CTX_set_min_proto_version(made.client_->ssl_context(), TLS1_2_VERSION) == 1);
  if (!shows) return made;
  DUNLIN_ASSIGN(const std::string pem, security::read_private_file(identity->authority));
  DUNLIN_ASSIGN(const security::Certificate authority, security::Certificate::from_pem(pem));
  DUNLIN_ASSIGN(made.trust_, Trust::make(authority));
  made.trust_->give(*made.client_);
  return made;
}

Result<std::string> Fetcher::get(const std::string& path) {
  std::string body;
  const httplib::Result answer =
      client_->Get(prefix_ + path, [&](const char* data, std::size_t size) {
        body.append(data, size);
        return body.size() <= kAnswerBytesMax;
      });
  const std::string what = url_ + prefix_ + path.substr(0, path.find('?'));
  if (!answer && answer.error() == httplib::Error::SSLServerVerification)
    return {Errc::untrusted, what + ": no certificate that is believed for that name"};
  if (!answer) return {Errc::io, what + ": " + httplib::to_string(answer.error())};
  if (answer->status != 200)
    return {Errc::io,
            what + ": HTTP " + std::to_string(answer->status) + " " + body.substr(0, 300)};
  return body;
}

std::string percent_encoded(const std::string& text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

}  // namespace dunlin::cli
