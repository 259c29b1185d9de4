#include <cstdio>
#include <cstdlib>

#include "dunlin/result.h"

namespace dunlin {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::malformed:
      return "malformed";
    case Errc::truncated:
      return "truncated";
    case Errc::too_large:
      return "too_large";
    case Errc::unsupported:
      return "unsupported";
    case Errc::bad_signature:
      return "bad_signature";
    case Errc::bad_hash:
      return "bad_hash";
    case Errc::untrusted:
      return "untrusted";
    case Errc::revoked:
      return "revoked";
    case Errc::expired:
      return "expired";
    case Errc::not_found:
      return "not_found";
    case Errc::exists:
      return "exists";
    case Errc::type_changed:
      return "type_changed";
    case Errc::corrupt:
      return "corrupt";
    case Errc::io:
      return "io";
    case Errc::storage_full:
      return "storage_full";
    case Errc::backpressure:
      return "backpressure";
    case Errc::not_connected:
      return "not_connected";
    case Errc::timeout:
      return "timeout";
    case Errc::config:
      return "config";
    case Errc::closed:
      return "closed";
  }
  return "unknown";
}

namespace detail {
void fail_check(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
  std::abort();
}
}  // namespace detail

}  // namespace dunlin
