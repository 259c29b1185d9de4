#pragma once

#include <cstdint>
#include <string>

#include "dunlin/result.h"

namespace dunlin::test {

struct HttpReply {
  int status = 0;
  std::string body;
  std::string content_type;
};

// One request to 127.0.0.1:port. `io` when nobody answers.
Result<HttpReply> http_get(std::uint16_t port, const std::string& path);
Result<HttpReply> http_post(std::uint16_t port, const std::string& path, const std::string& body);

}  // namespace dunlin::test
