// Whatever devices send, the issuer answers with a certificate or says what is wrong with it, and
// makes a member of nobody but who proves that he has the token.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/answer.h"
#include "cli/fleet.h"
#include "cli/issuer.h"
#include "cli/tokens.h"
#include "common/telemetry/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/open_token.h"
#include "tests/support/temp_dir.h"

namespace dunlin::fuzz {

namespace {

using nlohmann::json;

constexpr UtcMicros kNow = 1'800'000'000'000'000;

// A fleet without members, where one token is open.
class OpenFleet {
 public:
  OpenFleet() {
    log::set_level(log::Level::error);
    DUNLIN_CHECK(cli::Fleet::create(folder_, {"mountain", {"broker"}}, kNow).ok());
    open();
  }
  const std::string& folder() const { return folder_; }
  std::vector<security::Certificate> members() const {
    return cli::Fleet::open(folder_).value().members().value();
  }
  bool has_members() const { return !std::filesystem::is_empty(folder_ + "/members"); }
  void begin_anew() {
    std::filesystem::remove_all(folder_ + "/members");
    std::filesystem::create_directory(folder_ + "/members");
    open();
  }

 private:
  void open() {
    const security::Token token = open_token();
    const security::Member member{"mountain", "north", "agent", "pond"};
    DUNLIN_CHECK(
        cli::write_invitation(folder_, token.id, {token.secret, member, kNow + 1, {}}).ok());
  }

  test::TempDir dir_;
  std::string folder_ = dir_.file("fleet");
};

// That this makes its key a member.
bool is_proved(const json& body) {
  const security::Token token = open_token();
  const std::string request = body.at("request");
  const Hash right = security::prove(token.secret, request);
  return body.at("token") == token.id &&
         from_hex(body.at("proof").get<std::string>()).value() ==
             Bytes(right.begin(), right.end()) &&
         security::read_request(request).ok();
}

}  // namespace

void take(ByteView input) {
  static OpenFleet fleet;
  const std::string body(as_text(input));
  static cli::Issuer issuer(fleet.folder(), 300);
  const http::Response answer = issuer.answer(body, kNow);
  DUNLIN_CHECK(answer.status == 200 || (answer.status >= 400 && answer.status < 500));
  DUNLIN_CHECK((answer.status == 200) == fleet.has_members());
  if (answer.status != 200) return;
  const json asked = json::parse(body);
  DUNLIN_CHECK(is_proved(asked));
  const auto members = fleet.members();
  DUNLIN_CHECK(members.size() == 1 && members[0].member()->name == "pond");
  const Result<security::Request> request =
      security::read_request(asked.at("request").get<std::string>());
  DUNLIN_CHECK(members[0].public_key() == request->public_key);
  const security::Certificate authority = cli::Fleet::open(fleet.folder())->authority();
  const Result<security::Membership> read =
      cli::read_answer(answer.body, authority, request->public_key);
  DUNLIN_CHECK(read.ok() && read->certificate.der() == members[0].der());
  fleet.begin_anew();
}

}  // namespace dunlin::fuzz
