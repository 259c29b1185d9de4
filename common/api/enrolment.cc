#include "common/api/enrolment.h"

#include <httplib.h>

#include <chrono>
#include <fstream>

namespace dunlin::api {

namespace {

constexpr std::size_t kBytesMax = 16 * 1024;
constexpr std::chrono::seconds kPatience{5};

class IssuerProxy {
 public:
  explicit IssuerProxy(std::string issuer_url) : issuer_url_(std::move(issuer_url)) {}

  http::Response pass_on(const http::Request& request) {
    if (request.body.size() > kBytesMax)
      return http::problem(413, "too_large", "Content Too Large", "a request of that size");
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    if (!limit_.take(request, Instant(std::chrono::duration_cast<Duration>(now)))) {
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
  const std::string issuer_url_;
  EnrolmentLimit limit_;
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

bool EnrolmentLimit::Share::take(const std::string& asker, Instant now) {
  // Who has a thousand names has as many anyhow.
  if (of_each.size() >= kAskersMax) of_each.clear();
  const auto of_one = of_each.try_emplace(asker, kPerSecondOfOne, kBurstOfOne).first;
  return of_one->second.take(now) && of_all.take(now);
}

bool EnrolmentLimit::take(const http::Request& request, Instant now) {
  const Bytes& shown = request.client_certificate;
  const std::lock_guard lock(mutex_);
  return shown.empty() ? strangers_.take(request.client_address, now)
                       : members_.take({shown.begin(), shown.end()}, now);
}

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
