#include "common/http/message.h"

#include <nlohmann/json.hpp>

namespace dunlin::http {

namespace {

int status_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
    case Errc::malformed:
    case Errc::truncated:
    case Errc::unsupported:
      return 400;
    case Errc::untrusted:
    case Errc::revoked:
    case Errc::expired:
      return 403;
    case Errc::not_found:
      return 404;
    case Errc::exists:
    case Errc::type_changed:
      return 409;
    case Errc::too_large:
      return 413;
    case Errc::backpressure:
    case Errc::not_connected:
    case Errc::timeout:
    case Errc::closed:
      return 503;
    case Errc::storage_full:
      return 507;
    case Errc::bad_signature:
    case Errc::bad_hash:
    case Errc::corrupt:
    case Errc::io:
    case Errc::config:
      break;
  }
  return 500;
}

}  // namespace

std::optional<std::string> Request::parameter(const std::string& name) const {
  const auto found = query.find(name);
  if (found == query.end()) return std::nullopt;
  return found->second;
}

std::string Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

Response problem(int status, std::string_view code, std::string_view title,
                 std::string_view detail) {
  const nlohmann::ordered_json body{{"type", "about:blank"},
                                    {"title", title},
                                    {"status", status},
                                    {"code", code},
                                    {"detail", detail}};
  using Json = nlohmann::ordered_json;
  return {status, "application/problem+json",
          body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Response problem(const Error& error) {
  const int status = status_of(error.code);
  return problem(status, to_string(error.code), reason_phrase(status), error.context);
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      return "Error";
  }
}

}  // namespace dunlin::http
