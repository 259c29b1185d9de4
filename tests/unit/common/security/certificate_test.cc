#include "common/security/certificate.h"

#include <gtest/gtest.h>

namespace dunlin::security {
namespace {

constexpr UtcMicros kSecond = 1'000'000;
constexpr UtcMicros kDay = 86'400 * kSecond;
constexpr UtcMicros kNow = 1'800'000'000 * kSecond;
constexpr Validity kYears{0, kNow + 3650 * kDay};  // from 1970 on

std::unique_ptr<NodeKey> key() {
  return NodeKey::generate().value();
}

class CertificateTest : public testing::Test {
 protected:
  Certificate issue(const NodeKey& of, Validity validity = {kNow - kDay, kNow + kDay}) {
    return authority_.issue(of.public_key(), member_, validity).value();
  }
  Errc fault(const Certificate& certificate, std::optional<UtcMicros> now = kNow) const {
    const auto result = verify(certificate, authority_.certificate(), now);
    return result.ok() ? Errc::closed : result.error().code;  // closed: none
  }

  Authority authority_ = Authority::create(key(), "mountain", kYears).value();
  Member member_{"mountain", "north face", "agent", "Gewächs/haus 7%"};
};

TEST_F(CertificateTest, NamesTheMemberAndItsKey) {
  const auto device = key();
  const Certificate certificate = issue(*device);
  EXPECT_EQ(certificate.node(), device->node());
  EXPECT_EQ(certificate.public_key(), device->public_key());
  EXPECT_EQ(certificate.common_name(), device->node().to_string());
  EXPECT_EQ(certificate.member(), member_);
  EXPECT_EQ(certificate.validity().from, kNow - kDay);
  EXPECT_EQ(certificate.validity().until, kNow + kDay);
  EXPECT_FALSE(certificate.is_authority());
  EXPECT_EQ(fault(certificate), Errc::closed);
  const Certificate again = Certificate::from_pem(certificate.to_pem()).value();
  EXPECT_EQ(again.der(), certificate.der());
}

TEST_F(CertificateTest, AnAuthorityIsLoadedWithItsOwnKeyOnly) {
  EXPECT_TRUE(authority_.certificate().is_authority());
  EXPECT_EQ(authority_.fleet(), "mountain");
  const Certificate& certificate = authority_.certificate();
  const auto same = NodeKey::from_pem(authority_.key().to_pem().value()).value();
  EXPECT_TRUE(Authority::load(NodeKey::from_pem(same->to_pem().value()).value(), certificate).ok());
  EXPECT_EQ(Authority::load(key(), certificate).error().code, Errc::untrusted);
  const auto device = key();
  const Certificate not_ca = issue(*device);
  EXPECT_EQ(
      Authority::load(NodeKey::from_pem(device->to_pem().value()).value(), not_ca).error().code,
      Errc::untrusted);
}

// The same key with more time: each certificate stands for what the other signed, and only the
// later one takes the other's place.
TEST_F(CertificateTest, AnAuthorityGetsMoreTime) {
  const Certificate former = authority_.certificate();
  const Certificate before = issue(*key());
  ASSERT_TRUE(authority_.renew({0, former.validity().until + kDay}).ok());
  const Certificate newer = authority_.certificate();
  const Certificate after = issue(*key());
  for (const Certificate* each : {&before, &after}) {
    for (const Certificate* authority : {&former, &newer})
      EXPECT_TRUE(verify(*each, *authority, kNow).ok());
  }
  EXPECT_TRUE(succeeds(newer, former));
  EXPECT_FALSE(succeeds(former, newer));
  EXPECT_FALSE(succeeds(former, former));
  EXPECT_FALSE(succeeds(after, former));
  const Validity longer{0, former.validity().until + 2 * kDay};
  EXPECT_FALSE(succeeds(Authority::create(key(), "mountain", longer)->certificate(), former));
  const auto same = NodeKey::from_pem(authority_.key().to_pem().value()).value();
  const Certificate renamed =
      Authority::create(NodeKey::from_pem(same->to_pem().value()).value(), "valley", longer)
          ->certificate();
  EXPECT_FALSE(succeeds(renamed, former));
  Bytes forged = newer.der();
  forged.back() ^= 1;  // of its signature
  const auto read = Certificate::from_der(forged);
  EXPECT_FALSE(read.ok() && succeeds(*read, former));
  EXPECT_FALSE(read.ok() && is_signed_by_itself(*read));
  EXPECT_TRUE(is_signed_by_itself(newer));
  EXPECT_FALSE(is_signed_by_itself(after));
}

TEST_F(CertificateTest, OnlyTheFleetsAuthorityVouches) {
  const auto device = key();
  const Certificate certificate = issue(*device);
  const Authority same_name = Authority::create(key(), "mountain", kYears).value();
  EXPECT_EQ(verify(certificate, same_name.certificate(), kNow).error().code, Errc::untrusted);
  // A member cannot make members, and an authority is none.
  EXPECT_EQ(verify(certificate, certificate, kNow).error().code, Errc::untrusted);
  EXPECT_EQ(fault(authority_.certificate()), Errc::untrusted);
  EXPECT_EQ(
      authority_.issue(device->public_key(), {"valley", "c", "agent", "a"}, kYears).error().code,
      Errc::invalid_argument);
}

// One key may make several fleets: a member of one is none of the other.
TEST_F(CertificateTest, IsOfOneFleet) {
  const auto device = key();
  const auto same = [&] { return NodeKey::from_pem(authority_.key().to_pem().value()).value(); };
  Authority valley = Authority::create(same(), "valley", kYears).value();
  const Member there{"valley", "north face", "agent", member_.name};
  EXPECT_EQ(fault(valley.issue(device->public_key(), there, kYears).value()), Errc::untrusted);
  // Its certificate made anew is the same authority.
  Authority again = Authority::create(same(), "mountain", kYears).value();
  EXPECT_EQ(fault(again.issue(device->public_key(), member_, kYears).value()), Errc::closed);
}

TEST_F(CertificateTest, AdmitsAgentsAndGateways) {
  const auto device = key();
  const auto admission = make_admission(authority_.certificate());
  const auto examine = [&](Authority& by, const std::string& role) {
    member_.role = role;
    return admission->examine(by.issue(device->public_key(), member_, {0, kSecond})->der());
  };
  for (const bool gateway : {false, true}) {
    const Admitted says = examine(authority_, gateway ? "gateway" : "agent").value();
    EXPECT_EQ(says, (Admitted{device->node(), gateway, member_.name, false, false, kSecond}))
        << "long over, too";
  }
  for (const std::string role : {"reader", "operator", "broker", "authority", "Gateway", ""})
    EXPECT_EQ(examine(authority_, role).error().code, Errc::untrusted) << role;
  Authority foreign = Authority::create(key(), "mountain", kYears).value();
  EXPECT_EQ(examine(foreign, "agent").error().code, Errc::untrusted);
  EXPECT_EQ(admission->examine(authority_.certificate().der()).error().code, Errc::untrusted);
  EXPECT_EQ(admission->examine({}).error().code, Errc::malformed);
}

TEST_F(CertificateTest, HasItsTime) {
  const auto device = key();
  EXPECT_EQ(fault(issue(*device, {kNow - 2 * kDay, kNow - kDay})), Errc::expired);
  EXPECT_EQ(fault(issue(*device, {kNow + kDay, kNow + 2 * kDay})), Errc::expired);
  EXPECT_EQ(fault(issue(*device, {kNow - 2 * kDay, kNow - kDay}), std::nullopt), Errc::closed);
  EXPECT_EQ(fault(issue(*device, kYears), 5 * kSecond), Errc::closed);  // in 1970
  const Certificate today = issue(*device, {kNow, kNow + kDay});
  EXPECT_EQ(fault(today, kNow), Errc::closed);
  EXPECT_EQ(fault(today, kNow - 1), Errc::expired);
  EXPECT_EQ(fault(today, kNow + kDay), Errc::closed);
  EXPECT_EQ(fault(today, kNow + kDay + 1), Errc::expired);
  Authority over = Authority::create(key(), "mountain", {0, kNow - kDay}).value();
  const Certificate young =
      over.issue(device->public_key(), member_, {kNow - kDay, kNow + kDay}).value();
  EXPECT_EQ(verify(young, over.certificate(), kNow).error().code, Errc::expired);
  EXPECT_TRUE(verify(young, over.certificate(), kNow - kDay).ok());
  const Validity backwards{kNow, kNow - kDay};
  EXPECT_EQ(authority_.issue(device->public_key(), member_, backwards).error().code,
            Errc::invalid_argument);
}

TEST_F(CertificateTest, EveryFlippedBitIsNoticed) {
  const auto device = key();
  const Bytes der = issue(*device).der();
  for (std::size_t bit = 0; bit < der.size() * 8; ++bit) {
    Bytes broken = der;
    broken[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    const auto certificate = Certificate::from_der(broken);
    EXPECT_TRUE(!certificate.ok() || fault(*certificate) != Errc::closed) << "bit " << bit;
  }
  for (std::size_t size = 0; size < der.size(); ++size)
    EXPECT_FALSE(Certificate::from_der(ByteView(der).first(size)).ok()) << size;
  Bytes longer = der;
  longer.push_back(0);
  EXPECT_FALSE(Certificate::from_der(longer).ok());
}

TEST_F(CertificateTest, IsOneAndOfAP256Key) {
  const auto device = key();
  const std::string pem = issue(*device).to_pem();
  EXPECT_EQ(Certificate::from_pem(pem + pem).error().code, Errc::malformed);
  EXPECT_EQ(Certificate::from_pem("").error().code, Errc::malformed);
  EXPECT_EQ(Certificate::from_pem(std::string(100'000, '-')).error().code, Errc::malformed);
  EXPECT_EQ(authority_.issue(Bytes(91, 4), member_, kYears).error().code, Errc::malformed);
}

TEST_F(CertificateTest, ARequestProvesItsKey) {
  const auto device = key();
  const std::string pem = make_request(*device, "greenhouse 7").value();
  const Request request = read_request(pem).value();
  EXPECT_EQ(request.public_key, device->public_key());
  EXPECT_EQ(request.name, "greenhouse 7");
  EXPECT_EQ(make_request(*device, "a,O=b").error().code, Errc::invalid_argument);
  int refused = 0;
  for (std::size_t i = 0; i < pem.size(); ++i) {
    std::string broken = pem;
    broken[i] = broken[i] == 'A' ? 'B' : 'A';
    const auto read = read_request(broken);
    if (read.ok()) {  // a bit behind the last byte that counts
      EXPECT_EQ(read->public_key, request.public_key) << i;
      EXPECT_EQ(read->name, request.name) << i;
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(pem.size()) - 8);
}

}  // namespace
}  // namespace dunlin::security
