#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "common/log/admission.h"
#include "common/log/signer.h"
#include "common/security/keys.h"

namespace dunlin::security {

// What a fleet's authority vouches for: that the holder of a key is this member. It stands in a
// certificate as CN = node id and as the URI name dunlin://FLEET/CELL/ROLE/NAME.
struct Member {
  std::string fleet;
  std::string cell;  // of a gateway: its cells, with commas between
  std::string
      role;  // "agent", "keeper", "gateway", "reader"; the fleet's own: "broker", "operator"
  std::string name;
  bool operator==(const Member&) const = default;
};

std::vector<std::string> cells_of(const std::string& cell);

struct Validity {
  UtcMicros from = 0;
  UtcMicros until = 0;
};

// An X.509 certificate over a P-256 key, as read: nothing is believed before verify(). A value.
class Certificate {
 public:
  // Exactly one certificate; `malformed` for anything else, other kinds of keys included.
  static Result<Certificate> from_pem(std::string_view pem);
  static Result<Certificate> from_der(ByteView der);

  const Bytes& der() const { return der_; }
  std::string to_pem() const;
  const Bytes& public_key() const { return public_key_; }  // SubjectPublicKeyInfo, DER
  NodeId node() const { return node_id_of(public_key_); }
  // Nothing in an authority's own, or where the name is of another kind.
  const std::optional<Member>& member() const { return member_; }
  const std::vector<std::string>& hosts() const { return hosts_; }  // under which it serves TLS
  const std::string& common_name() const { return common_name_; }
  const Validity& validity() const { return validity_; }
  bool is_authority() const { return is_authority_; }

 private:
  Bytes der_;
  Bytes public_key_;
  std::optional<Member> member_;
  std::vector<std::string> hosts_;
  std::string common_name_;
  Validity validity_;
  bool is_authority_ = false;
};

// Whether the authority signed it, for a member whose node id is that of its key, and whether it is
// valid now; who does not know the time passes none, and times are not looked at. `untrusted`,
// `expired` (before its time, too), `malformed`. One signature check.
Result<void> verify(const Certificate& certificate, const Certificate& authority,
                    std::optional<UtcMicros> now);

// Whether the key that it is over signed it: all of an authority's certificate, its times as well.
bool is_signed_by_itself(const Certificate& certificate);

// Whether `newer` is a certificate of the same authority, over its same key and by it, that is
// valid for longer: it may take the place of `former`.
bool succeeds(const Certificate& newer, const Certificate& former);

// What the replica asks: verify() without times, for agents and gateways.
std::unique_ptr<Admission> make_admission(Certificate authority);

// The key that makes a fleet: it signs the certificates of its members.
class Authority {
 public:
  // Self-signed, CN = the fleet's name.
  static Result<Authority> create(std::unique_ptr<NodeKey> key, const std::string& fleet,
                                  Validity validity);
  // `untrusted` when the certificate is of another key.
  static Result<Authority> load(std::unique_ptr<NodeKey> key, Certificate certificate);

  const Certificate& certificate() const { return certificate_; }
  const std::string& fleet() const { return certificate_.common_name(); }
  NodeKey& key() { return *key_; }

  // A certificate of the same key and name with a new time; see succeeds().
  Result<void> renew(Validity validity);

  // For the holder of `public_key`, who proved it. `hosts` are names or addresses under which it
  // serves TLS. The member's fleet is this one.
  Result<Certificate> issue(ByteView public_key, const Member& member, Validity validity,
                            const std::vector<std::string>& hosts = {});

 private:
  Authority(std::unique_ptr<NodeKey> key, Certificate certificate)
      : key_(std::move(key)), certificate_(std::move(certificate)) {}

  std::unique_ptr<NodeKey> key_;
  Certificate certificate_;
};

// A certificate signing request (PKCS #10): a public key, and proof that who asks has the key.
Result<std::string> make_request(const NodeKey& key, const std::string& name);
struct Request {
  Bytes public_key;
  std::string name;  // that the device would like to have
};
// `bad_signature` when the key did not sign it.
Result<Request> read_request(std::string_view pem);

}  // namespace dunlin::security
