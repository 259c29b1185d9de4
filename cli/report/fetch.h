#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/trust.h"
#include "dunlin/result.h"

namespace dunlin::cli {

// Who asks over HTTPS, and whom he believes: PEM files of a fleet's folder.
struct Identity {
  std::string certificate;
  std::string key;
  std::string authority;
};
Identity operator_of(const std::string& folder);

// Asks one server over HTTP or HTTPS, again and again.
class Fetcher {
 public:
  // `url` may end in a path that all others follow. Without an identity the system's authorities
  // are believed, and nobody is named.
  static Result<Fetcher> make(const std::string& url, const std::optional<Identity>& identity);
  // The body; `io` or `untrusted` for whatever is no 200.
  Result<std::string> get(const std::string& path);

 private:
  struct Free {
    void operator()(httplib::Client* client) const;
  };

  std::string url_, prefix_;
  std::optional<Trust> trust_;
  std::unique_ptr<httplib::Client, Free> client_;
};

// For a query in a path.
std::string percent_encoded(const std::string& text);

}  // namespace dunlin::cli
