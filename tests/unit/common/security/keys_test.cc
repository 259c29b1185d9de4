#include "common/security/keys.h"
#include "common/base/owned.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <set>

#include "common/base/owned.h"
#include "tests/support/temp_dir.h"
#include "tests/vectors/golden.h"
#include "tests/vectors/samples.h"

namespace dunlin::security {
namespace {

using test::Golden;

// The order of P-256.
constexpr std::string_view kOrder =
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
// RFC 6979, appendix A.2.5, SHA-256; the s of "sample" is high there.
constexpr std::string_view kSampleR =
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
constexpr std::string_view kSampleS =
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
constexpr std::string_view kTestR =
    "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367";
constexpr std::string_view kTestS =
    "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";

Signature joined(std::string_view r, std::string_view s) {
  Signature signature;
  const Bytes bytes = *from_hex(std::string(r) + std::string(s));
  std::copy(bytes.begin(), bytes.end(), signature.begin());
  return signature;
}

// order - s: the other signature of the same message.
Signature mirrored(Signature signature) {
  const Bytes order = *from_hex(kOrder);
  int borrow = 0;
  for (std::size_t i = 32; i-- > 0;) {
    const int digit = order[i] - signature[32 + i] - borrow;
    borrow = digit < 0 ? 1 : 0;
    signature[32 + i] = static_cast<std::uint8_t>(digit + 256 * borrow);
  }
  return signature;
}

struct Signed {
  Bytes public_key;
  Signature signature;
};

// A signature with this s, and the key that made it: with 1 as the random number k, r is the x of
// the generator, and the private key is (s - z) / r.
Signed signed_with(std::string_view s_hex, std::string_view message) {
  using Number = Owned<BIGNUM, BN_free>;
  const Owned<BN_CTX, BN_CTX_free> context(BN_CTX_new());
  const Owned<EC_GROUP, EC_GROUP_free> group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const BIGNUM* const order = EC_GROUP_get0_order(group.get());
  const Number r(BN_new()), d(BN_new()), inverse(BN_new());
  EXPECT_EQ(EC_POINT_get_affine_coordinates(group.get(), EC_GROUP_get0_generator(group.get()),
                                            r.get(), nullptr, context.get()),
            1);
  const Hash digest = sha256(as_bytes(message));
  const Bytes s_bytes = *from_hex(s_hex);
  const Number s(BN_bin2bn(s_bytes.data(), 32, nullptr)), z(BN_bin2bn(digest.data(), 32, nullptr));
  EXPECT_EQ(BN_mod_sub(d.get(), s.get(), z.get(), order, context.get()), 1);
  EXPECT_NE(BN_mod_inverse(inverse.get(), r.get(), order, context.get()), nullptr);
  EXPECT_EQ(BN_mod_mul(d.get(), d.get(), inverse.get(), order, context.get()), 1);
  const Owned<EC_POINT, EC_POINT_free> point(EC_POINT_new(group.get()));
  EXPECT_EQ(EC_POINT_mul(group.get(), point.get(), d.get(), nullptr, nullptr, context.get()), 1);
  Signed out{test::test_key()->public_key(), {}};
  EXPECT_EQ(EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                               out.public_key.data() + 26, 65, context.get()),
            65U);
  EXPECT_EQ(BN_bn2binpad(r.get(), out.signature.data(), 32), 32);
  std::copy(s_bytes.begin(), s_bytes.end(), out.signature.begin() + 32);
  return out;
}

struct Named {
  const char* name;
  std::unique_ptr<Verifier> verifier;
};

class Verifiers : public testing::Test {
 protected:
  void for_each(const std::function<void(Verifier&)>& check) {
    for (const Named& named : all_) {
      SCOPED_TRACE(named.name);
      check(*named.verifier);
    }
  }
  void expect_refused(const Bytes& public_key, Errc code, const Signature& signature) {
    for_each([&](Verifier& verifier) {
      const Result<void> result = verifier.verify(public_key, as_bytes("sample"), signature);
      ASSERT_FALSE(result.ok()) << to_hex(public_key);
      EXPECT_EQ(result.error().code, code) << result.error().message();
    });
  }

  std::unique_ptr<NodeKey> key_ = test::test_key();
  Signature sample_ = *key_->sign(as_bytes("sample"));

 private:
  Named all_[2] = {{"mbedtls", make_mbedtls_verifier()}, {"openssl", make_openssl_verifier()}};
};

TEST_F(Verifiers, MatchTheGoldenBytes) {
  const auto bytes_of = [](const Signature& s) { return Bytes(s.begin(), s.end()); };
  const NodeId node = key_->node();
  const std::string header =
      "The key of all golden vectors, from RFC 6979, appendix A.2.5. A TEST KEY: its private half "
      "is public.\n" +
      std::string(test::kTestKeyPem);
  test::expect_golden(
      "keys.txt", header,
      {{"public_key", "SubjectPublicKeyInfo, DER, uncompressed: the one accepted form",
        key_->public_key()},
       {"node", "NodeId: the first 16 bytes of SHA-256 of the public key",
        Bytes(node.bytes.begin(), node.bytes.end())},
       {"signature_sample",
        "r || s over the text sample; RFC 6979 has the high s, this is order - s",
        bytes_of(sample_)},
       {"signature_test", "r || s over the text test; as in RFC 6979",
        bytes_of(*key_->sign(as_bytes("test")))},
       {"signature_empty", "r || s over no bytes", bytes_of(*key_->sign({}))}});
}

TEST_F(Verifiers, SignaturesAreThoseOfRfc6979WithLowS) {
  EXPECT_EQ(*key_->sign(as_bytes("test")), joined(kTestR, kTestS));
  EXPECT_EQ(sample_, mirrored(joined(kSampleR, kSampleS)));
  EXPECT_EQ(*key_->sign(as_bytes("sample")), sample_);
}

TEST_F(Verifiers, AcceptWhatTheKeySigned) {
  for (int i = 0; i < 20; ++i) {
    const auto fresh = *NodeKey::generate();
    const std::string message = "message " + std::to_string(i);
    const Signature signature = *fresh->sign(as_bytes(message));
    for_each([&](Verifier& verifier) {
      EXPECT_TRUE(verifier.verify(fresh->public_key(), as_bytes(message), signature).ok());
      EXPECT_EQ(verifier.verify(fresh->public_key(), as_bytes("other"), signature).error().code,
                Errc::bad_signature);
      EXPECT_EQ(verifier.verify(key_->public_key(), as_bytes(message), signature).error().code,
                Errc::bad_signature);
    });
  }
}

TEST_F(Verifiers, RefuseEveryFlippedBitOfASignature) {
  const Bytes bytes(sample_.begin(), sample_.end());
  test::for_each_flip(bytes, [&](const Bytes& flipped, std::size_t) {
    Signature signature;
    std::copy(flipped.begin(), flipped.end(), signature.begin());
    expect_refused(key_->public_key(), Errc::bad_signature, signature);
  });
}

TEST_F(Verifiers, RefuseTheHighHalf) {
  const Signature high = joined(kSampleR, kSampleS);
  EXPECT_EQ(mirrored(sample_), high);
  expect_refused(key_->public_key(), Errc::bad_signature, high);
}

// Where the halves meet both draw the same line.
TEST_F(Verifiers, TakeTheLowHalfToItsEnd) {
  const auto outcome = [&](std::string_view s) {
    const Signed made = signed_with(s, "sample");
    std::vector<bool> good;
    for_each([&](Verifier& verifier) {
      good.push_back(verifier.verify(made.public_key, as_bytes("sample"), made.signature).ok());
    });
    return good;
  };
  const std::vector<bool> accepted{true, true}, refused{false, false};
  const std::string half = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a";
  EXPECT_EQ(outcome(std::string(63, '0') + "1"), accepted);
  EXPECT_EQ(outcome(half + "7"), accepted);
  EXPECT_EQ(outcome(half + "8"), accepted) << "the greatest";
  EXPECT_EQ(outcome(half + "9"), refused);
  EXPECT_EQ(outcome(std::string(kOrder.substr(0, 63)) + "0"), refused) << "the order less one";
}

TEST_F(Verifiers, RefuseEveryFlippedBitOfAMessage) {
  const std::string message = "node 36ee, log 5/1, up to entry 4711 as it hashes";
  const Signature signature = *key_->sign(as_bytes(message));
  const auto expect_refused_message = [&](ByteView other) {
    for_each([&](Verifier& verifier) {
      const Result<void> result = verifier.verify(key_->public_key(), other, signature);
      ASSERT_FALSE(result.ok()) << to_hex(other);
      EXPECT_EQ(result.error().code, Errc::bad_signature);
    });
  };
  test::for_each_flip(as_bytes(message),
                      [&](const Bytes& flipped, std::size_t) { expect_refused_message(flipped); });
  expect_refused_message(as_bytes(message).first(message.size() - 1));
  expect_refused_message(as_bytes(message + '\0'));
  expect_refused_message({});
}

TEST_F(Verifiers, RefuseNumbersOutOfRange) {
  const std::string zero(64, '0'), ones(64, 'f');
  for (const auto& [r, s] : {std::pair<std::string, std::string>{zero, zero},
                             {zero, std::string(kTestS)},
                             {std::string(kTestR), zero},
                             {std::string(kOrder), std::string(kTestS)},
                             {ones, std::string(kTestS)},
                             {std::string(kTestR), ones},
                             {ones, ones}}) {
    expect_refused(key_->public_key(), Errc::bad_signature, joined(r, s));
  }
}

TEST_F(Verifiers, AcceptOneFormOfAPublicKey) {
  const Bytes good = key_->public_key();
  ASSERT_EQ(good.size(), 91U);
  const std::string x = to_hex(ByteView(good).subspan(27, 32)),
                    y = to_hex(ByteView(good).subspan(59, 32));
  const bool odd = (good.back() & 1) != 0;
  const std::string algorithm = "301306072a8648ce3d020106082a8648ce3d030107";
  const std::string pem =
      "-----BEGIN PUBLIC KEY-----\n"
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
      "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
      "-----END PUBLIC KEY-----\n";
  Bytes pem_bytes(pem.begin(), pem.end());
  pem_bytes.push_back(0);

  std::vector<Bytes> bad = {
      {},
      *from_hex("3039" + algorithm + "032200" + (odd ? "03" : "02") + x),      // compressed
      *from_hex("3059" + algorithm + "034200" + (odd ? "07" : "06") + x + y),  // hybrid
      *from_hex("3019" + algorithm + "03020000"),  // the point at infinity
      *from_hex("3059" + algorithm +
                "034200"
                "04" +
                y + x),  // not on the curve
      *from_hex("3059" + algorithm +
                "034200"
                "04" +
                std::string(128, '0')),
      *from_hex("3059" + algorithm +
                "034200"
                "04" +
                std::string(128, 'f')),  // beyond the prime
      *from_hex("308159" + algorithm +
                "034200"
                "04" +
                x + y),  // a long length: BER
      *from_hex("3059301306072a8648ce3d020106082a8648ce3d030107034201"
                "04" +
                x + y),  // unused bits
      *from_hex("3056301006072a8648ce3d020106052b8104000a034200"
                "04" +
                x + y),  // secp256k1
      *from_hex("04" + x + y),
      pem_bytes,
      Bytes(good.begin(), good.end() - 1),
      Bytes(91),
  };
  Bytes longer = good;
  longer.push_back(0);
  bad.push_back(longer);
  for (const Bytes& key : bad) expect_refused(key, Errc::malformed, sample_);
  for_each([&](Verifier& verifier) {
    EXPECT_TRUE(verifier.verify(good, as_bytes("sample"), sample_).ok());
  });
}

TEST_F(Verifiers, RefuseEveryFlippedBitOfAPublicKey) {
  test::for_each_flip(key_->public_key(), [&](const Bytes& flipped, std::size_t) {
    expect_refused(flipped, Errc::malformed, sample_);  // it is off the curve then
  });
}

TEST_F(Verifiers, StayRightWhenTheKeyCacheIsFull) {
  std::vector<std::unique_ptr<NodeKey>> keys;
  for (int i = 0; i < 40; ++i) keys.push_back(*NodeKey::generate());
  const auto verifier = make_openssl_verifier();
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Signature signature = *keys[i]->sign(as_bytes("m"));
      EXPECT_TRUE(verifier->verify(keys[i]->public_key(), as_bytes("m"), signature).ok());
      EXPECT_FALSE(
          verifier->verify(keys[(i + 1) % keys.size()]->public_key(), as_bytes("m"), signature)
              .ok());
    }
  }
}

TEST(NodeKey, NodeIdHashesThePublicKey) {
  const auto key = *NodeKey::generate();
  EXPECT_EQ(key->node(), node_id_of(key->public_key()));
  EXPECT_NE(key->node(), (*NodeKey::generate())->node());
}

TEST(NodeKey, PemReadsBack) {
  const auto key = *NodeKey::generate();
  const auto again = NodeKey::from_pem(*key->to_pem());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->public_key(), key->public_key());
  EXPECT_EQ(*test::test_key()->to_pem(), test::kTestKeyPem);
}

TEST(NodeKey, RefusesWhatIsNoP256Key) {
  const std::string pem(test::kTestKeyPem);
  for (const std::string& text :
       {std::string(), std::string("garbage"), pem.substr(0, 100),
        std::string("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"),
        // secp256k1
        std::string("-----BEGIN PRIVATE KEY-----\n"
                    "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgAAAAAAAAAAAAAAAAAAAA\n"
                    "AAAAAAAAAAAAAAAAAAdbzRWhRANCAAQI9PN+LY904Ywbj94jdNXyhAL7irf9HMW3\n"
                    "hqpAhRpwy8LsqHuL0sC+UmmOnV7hmEDE1AymluFhWRNHafoa6Fsu\n"
                    "-----END PRIVATE KEY-----\n")}) {
    const auto key = NodeKey::from_pem(text);
    ASSERT_FALSE(key.ok()) << text;
    EXPECT_EQ(key.error().code, Errc::malformed);
  }
}

TEST(NodeKey, IsMadeOnceAndKeptPrivate) {
  const test::TempDir folder;
  const std::string path = folder.file("node.key");
  const auto made = NodeKey::load_or_create(path);
  ASSERT_TRUE(made.ok()) << made.error().message();
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const auto loaded = NodeKey::load_or_create(path);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ((*loaded)->node(), (*made)->node());
  EXPECT_NE(::access((path + ".new").c_str(), F_OK), 0);
}

TEST(NodeKey, RefusesFilesThatOthersMayRead) {
  const test::TempDir folder;
  const std::string path = folder.write("node.key", test::kTestKeyPem);
  for (const mode_t mode : {0644U, 0640U, 0604U, 0620U, 0601U}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto key = NodeKey::load_or_create(path);
    ASSERT_FALSE(key.ok()) << mode;
    EXPECT_EQ(key.error().code, Errc::io);
    EXPECT_NE(key.error().context.find(path), std::string::npos);
  }
  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  EXPECT_TRUE(NodeKey::load_or_create(path).ok());
}

TEST(NodeKey, NeverReplacesADamagedFile) {
  const test::TempDir folder;
  const std::string path = folder.write("node.key", "not a key");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const auto key = NodeKey::load_or_create(path);
  ASSERT_FALSE(key.ok());
  EXPECT_NE(key.error().context.find(path), std::string::npos);
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "not a key");
}

TEST(NodeKey, SaysWhereItCannotWrite) {
  const test::TempDir folder;
  const auto key = NodeKey::load_or_create(folder.file("missing/node.key"));
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.error().code, Errc::io);
}

TEST(RandomBytes, DifferEveryTime) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random_u64());
  EXPECT_EQ(seen.size(), 100U);
}

}  // namespace
}  // namespace dunlin::security
