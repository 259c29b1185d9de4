#pragma once

#include <map>
#include <mutex>
#include <string>

#include "common/base/token_bucket.h"
#include "common/http/server.h"

namespace dunlin::api {

// How often who may ask: strangers by their address, members by the certificate that they show and
// beside them, so that those who cannot do not hold them up. Thread-safe.
class EnrolmentLimit {
 public:
  bool take(const http::Request& request, Instant now);  // false: not now

 private:
  static constexpr std::int64_t kPerSecond = 4, kBurst = 20;
  static constexpr std::int64_t kPerSecondOfOne = 1, kBurstOfOne = 5;
  static constexpr std::size_t kAskersMax = 1024;

  struct Share {
    TokenBucket of_all{kPerSecond, kBurst};
    std::map<std::string, TokenBucket> of_each;
    bool take(const std::string& asker, Instant now);
  };

  std::mutex mutex_;
  Share strangers_, members_;
};

// Lets devices that have no certificate yet ask for one, with a token; and members renew theirs.
// The gateway has no part in it: it shows the authority's certificate (GET /v1/authority), and
// passes the rest (POST /v1/enrol) to the program that has the authority's key (`dunlin fleet
// serve`). Anybody may ask, so of an address 1 request a
// second is passed on, of all 4, and bodies of 16 KiB; members that show their certificate have as
// much for themselves.
void add_enrolment(http::Server& server, const std::string& issuer_url,
                   const std::string& authority_file);

}  // namespace dunlin::api
