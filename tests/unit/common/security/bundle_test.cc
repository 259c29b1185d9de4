#include "common/security/bundle.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "tests/support/temp_dir.h"

namespace dunlin::security {
namespace {

constexpr Validity kAlways{0, 4'000'000'000'000'000};

class BundleTest : public testing::Test {
 protected:
  Bundle bundle(const std::string& name = "pond") {
    const auto key = NodeKey::generate().value();
    const Member member{"mountain", "north", "agent", name};
    Certificate certificate = authority_.issue(key->public_key(), member, kAlways).value();
    return {{std::move(certificate), authority_.certificate(), {"mqtts://broker:8883"}},
            key->to_pem().value()};
  }

  test::TempDir folder_;
  std::string data_dir_ = folder_.file("data");
  Authority authority_ =
      Authority::create(NodeKey::generate().value(), "mountain", kAlways).value();
};

TEST_F(BundleTest, IsReadAsWritten) {
  const Bundle written = bundle();
  const Bundle read = read_bundle(write_bundle(written)).value();
  EXPECT_EQ(read.key_pem, written.key_pem);
  EXPECT_EQ(read.membership.certificate.der(), written.membership.certificate.der());
  EXPECT_EQ(read.membership.authority.der(), authority_.certificate().der());
  EXPECT_EQ(read.membership.addresses.broker, "mqtts://broker:8883");
}

TEST_F(BundleTest, MayNameAWirelessNetwork) {
  Bundle written = bundle();
  EXPECT_EQ(read_bundle(write_bundle(written)).value().wifi, std::nullopt);
  written.wifi = Wifi{"706f6e64", std::string(64, '7')};
  EXPECT_EQ(read_bundle(write_bundle(written)).value().wifi, written.wifi);
  for (const Wifi& wrong :
       {Wifi{"706f6e64", ""}, Wifi{"pond", std::string(64, '7')},
        Wifi{std::string(66, '7'), std::string(64, '7')}, Wifi{"706f6e64", std::string(62, '7')}}) {
    written.wifi = wrong;
    EXPECT_EQ(read_bundle(write_bundle(written)).error().code, Errc::malformed) << wrong.network;
  }
}

// An agent and `dunlin enrol` that start together are one node.
TEST_F(BundleTest, AKeyIsMadeOnce) {
  for (int round = 0; round < 10; ++round) {
    const std::string file = folder_.file("node.key" + std::to_string(round));
    const auto make = [&] { return NodeKey::load_or_create(file).value()->node(); };
    auto other = std::async(std::launch::async, make);
    const NodeId own = make();
    EXPECT_EQ(own, other.get());
    EXPECT_EQ(own, make());
  }
}

TEST_F(BundleTest, WhatDoesNotBelongTogetherIsRefused) {
  const Bundle good = bundle();
  Bundle other_key = good;
  other_key.key_pem = bundle().key_pem;
  EXPECT_EQ(read_bundle(write_bundle(other_key)).error().code, Errc::untrusted);
  Bundle other_authority = good;
  other_authority.membership.authority =
      Authority::create(NodeKey::generate().value(), "mountain", kAlways).value().certificate();
  EXPECT_EQ(read_bundle(write_bundle(other_authority)).error().code, Errc::untrusted);
  const std::string text = write_bundle(good);
  EXPECT_EQ(read_bundle(text + good.key_pem).error().code, Errc::malformed);
  std::string joined = text;  // the end of a line is gone: of the address, there
  joined[joined.find("\n-----BEGIN")] = ';';
  EXPECT_EQ(read_bundle(joined).error().code, Errc::malformed);
  for (std::size_t size = 0; size + 1 < text.size(); size += 7)
    EXPECT_FALSE(read_bundle(std::string_view(text).substr(0, size)).ok()) << size;
}

TEST_F(BundleTest, MakesADirectoryThatOfItsMember) {
  EXPECT_FALSE(load_membership(data_dir_).value());
  const Bundle good = bundle();
  for (int again = 0; again < 2; ++again) ASSERT_TRUE(install(good, data_dir_).ok());
  const auto loaded = load_membership(data_dir_).value();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->certificate.der(), good.membership.certificate.der());
  EXPECT_EQ(loaded->addresses.broker, good.membership.addresses.broker);
  EXPECT_EQ(NodeKey::load_or_create(key_file(data_dir_)).value()->node(),
            good.membership.certificate.node());
  EXPECT_EQ(std::filesystem::status(key_file(data_dir_)).permissions(),
            std::filesystem::perms(0600));
  EXPECT_EQ(install(bundle("lake"), data_dir_).error().code, Errc::exists);
  EXPECT_EQ(load_membership(data_dir_).value()->certificate.der(),
            good.membership.certificate.der());
}

// They would stand above the authority's certificate, in a file of whom to trust.
TEST_F(BundleTest, AnAddressIsAnAddress) {
  const std::string foreign =
      Authority::create(NodeKey::generate().value(), "x", kAlways)->certificate().to_pem();
  for (const std::string& broker : {std::string("mqtt://10.0.0.1"), std::string("broker:8883"),
                                    "mqtts://b:8883\n" + foreign, std::string("mqtts://b\r")}) {
    Bundle bad = bundle();
    bad.membership.addresses.broker = broker;
    EXPECT_EQ(install(bad, data_dir_).error().code, Errc::malformed) << broker;
  }
  for (const std::string& gateway : {std::string("http://g"), "https://g\n" + foreign}) {
    Bundle bad = bundle();
    bad.membership.addresses.gateway = gateway;
    EXPECT_EQ(install(bad, data_dir_).error().code, Errc::malformed) << gateway;
  }
  EXPECT_FALSE(std::filesystem::exists(data_dir_));
}

TEST_F(BundleTest, AForeignAuthorityInTheDirectoryIsNoticed) {
  ASSERT_TRUE(install(bundle(), data_dir_).ok());
  const Authority other =
      Authority::create(NodeKey::generate().value(), "mountain", kAlways).value();
  std::ofstream(authority_file(data_dir_)) << other.certificate().to_pem();
  EXPECT_EQ(load_membership(data_dir_).error().code, Errc::untrusted);
}

TEST_F(BundleTest, WithoutItsCertificateAMemberIsNobody) {
  const Bundle own = bundle();
  ASSERT_TRUE(install(own, data_dir_).ok());
  std::filesystem::remove(certificate_file(data_dir_));
  EXPECT_EQ(load_membership(data_dir_).error().code, Errc::not_found);
  ASSERT_TRUE(install(own, data_dir_).ok());
  EXPECT_TRUE(load_membership(data_dir_)->has_value());
}

}  // namespace
}  // namespace dunlin::security
