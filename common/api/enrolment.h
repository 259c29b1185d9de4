#pragma once

#include <string>

#include "common/http/server.h"

namespace dunlin::api {

// Lets devices that have no certificate yet ask for one, with a token; and members renew theirs.
// The gateway has no part in it: it shows the authority's certificate (GET /v1/authority), and
// passes the rest (POST /v1/enrol) to the program that has the authority's key (`dunlin fleet
// serve`). Anybody may ask, so 4 requests a second are passed on, and bodies of 16 KiB.
void add_enrolment(http::Server& server, const std::string& issuer_url,
                   const std::string& authority_file);

}  // namespace dunlin::api
