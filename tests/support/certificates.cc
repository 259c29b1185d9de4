#include "tests/support/certificates.h"

#include "tests/support/process.h"

namespace dunlin::test {

namespace {

bool openssl(std::vector<std::string> args) {
  return run_program({.program = "openssl", .args = std::move(args)}) == 0;
}

}  // namespace

Authority::Authority(const std::string& name) {
  ca_file = folder_.file("ca.pem");
  key_ = folder_.file("ca.key");
  ok = openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=" + name, "-keyout", key_, "-out", ca_file});
}

Authority::Signed Authority::sign(const std::string& name,
                                  const std::string& subject_alternative_name) {
  const std::string request = folder_.file(name + ".csr");
  const std::string extension =
      folder_.write(name + ".ext", "subjectAltName=" + subject_alternative_name + "\n");
  Signed result{folder_.file(name + ".pem"), folder_.file(name + ".key")};
  ok &= openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                 "/CN=" + name, "-keyout", result.key_file, "-out", request});
  ok &= openssl({"x509", "-req", "-in", request, "-CA", ca_file, "-CAkey", key_, "-CAcreateserial",
                 "-days", "2", "-extfile", extension, "-out", result.cert_file});
  return result;
}

}  // namespace dunlin::test
