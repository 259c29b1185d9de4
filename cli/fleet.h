#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/authority_log.h"
#include "cli/folder_lock.h"
#include "common/security/bundle.h"
#include "dunlin/transport.h"

namespace dunlin::cli {

// A folder of the operator's that makes a fleet: the authority's key (`authority.key`, 0600, under
// a passphrase if one was given), certificate (`authority.crt`) and log (`log.db`), a key and
// certificate by which the operator meets broker and gateways (`operator.key`, `operator.crt`), the
// certificate of every member (`members/NODE.crt`), tokens (`tokens/`, see tokens.h), and what the
// broker needs (`broker/`). Whoever has the authority's key makes members: it belongs on no device.
// It is read by what signs alone: add, admit, renew, answer, revoke, rotate; these fail with
// `untrusted` when the passphrase is wrong, and with `invalid_argument` when none is to be had. An
// object holds the folder's lock: another process waits until it is gone.
class Fleet {
 public:
  // Asked once, when the key is needed and locked.
  using Passphrase = std::function<Result<std::string>()>;
  static constexpr int kYears = 20;  // that the authority's certificate is valid

  struct Plan {
    std::string name;
    std::vector<std::string> broker_hosts;  // names and addresses under which devices reach it
    std::uint16_t broker_port = 8883;
    std::string gateway;     // https://HOST[:PORT], where devices enrol and renew; may be empty
    std::string passphrase;  // of the authority's key; "" = none
  };
  // `exists` when there is a fleet in the folder already. The certificates of authority and
  // broker are valid from 1970, where devices without a clock battery wake, to kYears from `now`.
  static Result<Fleet> create(const std::string& folder, const Plan& plan, UtcMicros now);
  static Result<Fleet> open(const std::string& folder, Passphrase passphrase = {});

  const std::string& name() const { return authority_.common_name(); }
  const security::Certificate& authority() const { return authority_; }
  const security::Addresses& addresses() const { return addresses_; }
  const std::string& folder() const { return folder_; }

  // `exists` when another node is a member of that cell and name, `invalid_argument` when none can.
  Result<void> check_free(const security::Member& member, const NodeId& node);
  // The same when it is not known yet who will be: the certificate of who was it may be over.
  Result<void> check_inviting(const security::Member& member, UtcMicros now);
  // A certificate for the holder of a key, who proved it. The broker's files know it from the
  // broker's next reload on. A gateway's is valid from 1970: devices without a clock enrol with it.
  Result<security::Certificate> admit(ByteView public_key, const security::Member& member,
                                      UtcMicros now, int days,
                                      const std::vector<std::string>& hosts = {});
  // A new key, and its certificate: what the device is to be given.
  Result<security::Bundle> add(const security::Member& member, UtcMicros now, int days,
                               const std::vector<std::string>& hosts = {});
  // The certificate of a member once more, with a new time. `not_found`, `revoked`; `expired` when
  // the former one is over: whoever comes back that late needs a token.
  Result<security::Certificate> renew(const NodeId& node, UtcMicros now, int days);
  // `not_found` when the node never had one.
  Result<security::Certificate> member(const NodeId& node) const;
  // What the holder of that certificate is answered: see cli/answer.h.
  Result<std::string> answer(const security::Certificate& certificate);
  // Every certificate that was given, by cell and name; revoked ones too.
  Result<std::vector<security::Certificate>> members() const;
  // New keys of the operator and the broker, in place of the former ones, of which the operator's
  // is revoked; and kYears more for the authority's certificate, over the same key: who has the
  // former one believes what this one does, and gets the new one when it renews its own. Once more
  // heals what a crash left half done.
  Result<void> rotate(UtcMicros now);
  // Reads the key, to find out early that it can be.
  Result<void> unlock();
  // Who is one no more; of its logs counts what `ends` say. The broker's files forget it.
  Result<void> revoke(const NodeId& node, std::vector<Revoke::End> ends, UtcMicros now);
  Result<std::map<NodeId, Revoke>> revocations();
  // Writes the broker's files, and puts the authority's log before every cell that has a member:
  // see cli/broker.h. Others have the folder while the broker is waited for.
  Result<void> publish() &&;
  // Writes broker/acl anew, and tells a broker that runs on this machine; that it could not
  // is logged, since the former rights hold there until it is told otherwise.
  Result<void> write_rights();

 private:
  Fleet(FolderLock lock, std::string folder, security::Certificate authority,
        security::Addresses addresses, Passphrase passphrase)
      : lock_(std::move(lock)),
        folder_(std::move(folder)),
        authority_(std::move(authority)),
        addresses_(std::move(addresses)),
        passphrase_(std::move(passphrase)) {}

  // The certificate of who is that member, and was not revoked.
  Result<std::optional<security::Certificate>> holder(const security::Member& member);
  Result<AuthorityLog> log() const;
  Result<void> append(UtcMicros now, Revoke revoke);
  Result<security::Certificate> issue(ByteView public_key, const security::Member& member,
                                      UtcMicros now, int days,
                                      const std::vector<std::string>& hosts);
  Result<void> write_authority() const;
  Result<void> make_operator(security::Validity validity);
  Result<void> make_broker(security::Validity validity, const std::vector<std::string>& hosts);

  FolderLock lock_;
  std::string folder_;
  security::Certificate authority_;
  security::Addresses addresses_;
  Passphrase passphrase_;
  std::optional<security::Authority> unlocked_;
};

}  // namespace dunlin::cli
