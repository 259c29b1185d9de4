#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dunlin/bytes.h"
#include "dunlin/result.h"

namespace dunlin::http {

struct Request {
  std::string method;                                  // "GET" also where the client asked for HEAD
  std::string path;                                    // decoded, without the query
  std::multimap<std::string, std::string> query;       // decoded
  std::map<std::string, std::string> path_parameters;  // what `{name}` in the route matched
  std::map<std::string, std::string> headers;          // names in lower case; the first of each
  std::string body;
  Bytes client_certificate;    // DER, verified; empty when none was shown
  std::string client_address;  // see address_of_peer()

  // The first value of a query parameter.
  std::optional<std::string> parameter(const std::string& name) const;
  // `name` in lower case; "" when absent.
  std::string header(const std::string& name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

// An RFC 9457 problem: {"type":"about:blank","title","status","code","detail"}. `code` is the
// stable, snake_case name that programs compare; `detail` is for people and may be any bytes.
Response problem(int status, std::string_view code, std::string_view title,
                 std::string_view detail);

// The problem that an Error of ours amounts to: 400 for what the caller did wrong, 404, 409, 413,
// 503 and 507 where they fit, else 500.
Response problem(const Error& error);

// "Not Found" for 404, and so on; "Error" for codes this server does not use.
std::string_view reason_phrase(int status);

}  // namespace dunlin::http
