// Whatever a gateway makes of the answer to a device, the device believes what the authority signed
// or nothing. Three bytes of input change one of a good answer; all of it is an answer, too.
#include "cli/answer.h"

#include "tests/fuzz/fuzz.h"

namespace dunlin::fuzz {

namespace {

struct Asked {
  Asked() {
    const security::Member member{"mountain", "north", "agent", "pond"};
    good = {authority.issue(key->public_key(), member, kAlways).value(),
            authority.certificate(),
            {"mqtts://broker", "https://gate"}};
    body = cli::write_answer(*good, authority.key()).value();
  }
  bool believes(const std::string& answer) const {
    const auto read = cli::read_answer(answer, authority.certificate(), key->public_key());
    if (!read.ok()) return false;
    DUNLIN_CHECK(read->certificate.der() == good->certificate.der());
    DUNLIN_CHECK(read->authority.der() == good->authority.der());
    DUNLIN_CHECK(read->addresses == good->addresses);
    return true;
  }

  static constexpr security::Validity kAlways{0, 4'000'000'000'000'000};
  std::unique_ptr<security::NodeKey> key = security::NodeKey::generate().value();
  security::Authority authority =
      security::Authority::create(security::NodeKey::generate().value(), "mountain", kAlways)
          .value();
  std::optional<security::Membership> good;
  std::string body;
};

}  // namespace

void take(ByteView input) {
  static const Asked asked;
  (void)asked.believes(std::string(as_text(input)));
  if (input.size() != 3) return;
  std::string changed = asked.body;
  changed[(input[0] * 256u + input[1]) % changed.size()] = static_cast<char>(input[2]);
  (void)asked.believes(changed);
}

}  // namespace dunlin::fuzz
