#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/message.h"

namespace dunlin::http {

using Handler = std::function<Response(const Request&)>;

// Finds the handler of a request. A pattern is a path whose segments may be `{name}` (any one
// segment that is not empty) and whose last segment may be `*` (the rest of the path, as parameter
// "*"). The first pattern added that fits wins.
class Router {
 public:
  void add(std::string method, std::string_view pattern, Handler handler);

  // Runs the handler; 404 and 405 (with Allow) as problems where there is none, 500 when it throws;
  // what it threw goes to the log and not to the client.
  Response dispatch(Request& request) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace dunlin::http
