#include "common/api/enrolment.h"

#include <httplib.h>

#include <chrono>
#include <fstream>
#include <mutex>

#include "common/base/token_bucket.h"

namespace dunlin::api {

namespace {

constexpr std::int64_t kPerSecond = 4, kBurst = 20;
constexpr std::size_t kBytesMax = 16 * 1024;
constexpr std::chrono::seconds kPatience{5};

class IssuerProxy {
 public:
  explicit IssuerProxy(std::string issuer_url) : issuer_url_(std::move(issuer_url)) {}

  http::Response pass_on(const http::Request& request) {
    if (request.body.size() > kBytesMax)
      return http::problem(413, "too_large", "Content Too Large", "a request of that size");
    if (!take()) {
      http::Response busy =
          http::problem(503, "busy", "Busy", "too many devices ask; try again in some seconds");
      busy.headers.emplace_back("Retry-After", "10");
      return busy;
    }
    httplib::Client issuer(issuer_url_);
    issuer.set_connection_timeout(kPatience);
    issuer.set_read_timeout(kPatience);
    const httplib::Result answer = issuer.Post("/v1/enrol", request.body, "application/json");
    if (!answer)
      return http::problem(503, "issuer_not_reached", "No issuer",
                           "whoever has the authority's key does not answer");
    return {answer->status, answer->get_header_value("Content-Type"), answer->body};
  }

 private:
  bool take() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const std::lock_guard lock(mutex_);
    return limit_.take(Instant(std::chrono::duration_cast<Duration>(now)));
  }

  const std::string issuer_url_;
  std::mutex mutex_;
  TokenBucket limit_{kPerSecond, kBurst};
};

http::Response authority(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const std::size_t pem = text.find("-----BEGIN");
  if (pem == std::string::npos)
    return http::problem(500, "io", "No authority", "its certificate cannot be read");
  return {.content_type = "application/x-pem-file", .body = text.substr(pem)};
}

}  // namespace

void add_enrolment(http::Server& server, const std::string& issuer_url,
                   const std::string& authority_file) {
  server.route("GET", "/v1/authority",
               [authority_file](const http::Request&) { return authority(authority_file); });
  server.route("POST", "/v1/enrol",
               [proxy = std::make_shared<IssuerProxy>(issuer_url)](const http::Request& request) {
                 return proxy->pass_on(request);
               });
}

}  // namespace dunlin::api
