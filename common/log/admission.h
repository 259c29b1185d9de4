#pragma once

#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "dunlin/bytes.h"

namespace dunlin {

// The cell in which gateways meet. An agent or a reader that is certified for it may have the logs
// of all.
inline constexpr std::string_view kBackboneName = "_core";

// What the authority of a fleet says of a node, by the certificate that it gave it.
struct Admitted {
  NodeId node;
  bool gateway = false;
  std::string name;
  bool keeper = false;  // an agent that may keep all logs of its cell
  bool fleet = false;   // and of all others
  UtcMicros until = 0;  // of what was said at several times that counts which is good for longest
  bool operator==(const Admitted&) const = default;
};

// How the core asks what a certificate is worth; it knows no format of one. Called from one thread
// at a time per object.
class Admission {
 public:
  virtual ~Admission() = default;
  virtual const NodeId& authority() const = 0;
  // `untrusted` unless the authority signed it, `malformed` when it is none. Times are not looked
  // at: a certificate that is over keeps a node from connecting, not its entries from being true.
  // One signature check.
  virtual Result<Admitted> examine(ByteView certificate) = 0;
  // Of a certificate that was examined: whether it is for that cell, among others perhaps.
  virtual bool is_for(ByteView certificate, std::string_view cell) const = 0;
};

}  // namespace dunlin
