#pragma once

#include <string>

#include "tests/support/temp_dir.h"

namespace dunlin::test {

// A certificate authority made by the openssl program, and what it signed. `ok` says whether every
// call succeeded so far.
class Authority {
 public:
  explicit Authority(const std::string& name);

  struct Signed {
    std::string cert_file;
    std::string key_file;
  };
  // `subject_alternative_name` as "DNS:localhost,IP:127.0.0.1".
  Signed sign(const std::string& name, const std::string& subject_alternative_name);

  std::string ca_file;
  bool ok = false;

 private:
  TempDir folder_;
  std::string key_;
};

}  // namespace dunlin::test
