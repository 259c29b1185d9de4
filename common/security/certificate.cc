#include "common/security/certificate.h"

#include <mbedtls/asn1write.h>
#include <mbedtls/base64.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "common/base/check.h"
#include "common/base/sha256.h"
#include "common/security/public_key.h"

namespace dunlin::security {

namespace {

constexpr std::size_t kDerBytesMax = 4096;
constexpr unsigned char kUri = 6, kDns = 2, kAddress = 7;  // kinds of general names

int fill_random(void*, unsigned char* out, std::size_t size) {
  random_bytes({out, size});
  return 0;
}

// A C structure with its init and free.
template <typename T, void (*init)(T*), void (*free)(T*)>
struct Owned {
  T value;
  Owned() { init(&value); }
  ~Owned() { free(&value); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  T* operator->() { return &value; }
  T* get() { return &value; }
};
using KeyContext = Owned<mbedtls_pk_context, mbedtls_pk_init, mbedtls_pk_free>;
using ParsedCertificate = Owned<mbedtls_x509_crt, mbedtls_x509_crt_init, mbedtls_x509_crt_free>;
using CertificateWriter =
    Owned<mbedtls_x509write_cert, mbedtls_x509write_crt_init, mbedtls_x509write_crt_free>;
using ParsedRequest = Owned<mbedtls_x509_csr, mbedtls_x509_csr_init, mbedtls_x509_csr_free>;
using RequestWriter =
    Owned<mbedtls_x509write_csr, mbedtls_x509write_csr_init, mbedtls_x509write_csr_free>;
using BigNumber = Owned<mbedtls_mpi, mbedtls_mpi_init, mbedtls_mpi_free>;

Error failed(const std::string& what, int code) {
  std::array<char, 128> text{};
  mbedtls_strerror(code, text.data(), text.size());
  return {Errc::io, what + ": " + text.data()};
}

Result<void> load_private(const NodeKey& key, KeyContext& out) {
  DUNLIN_ASSIGN(const std::string pem, key.to_pem());
  const int code = mbedtls_pk_parse_key(
      out.get(), reinterpret_cast<const unsigned char*>(pem.c_str()), pem.size() + 1, nullptr, 0);
  return code == 0 ? Result<void>{} : failed("reading a key", code);
}

Result<void> load_public(ByteView der, KeyContext& out) {
  if (!is_public_key_form(der)) return {Errc::malformed, "not a P-256 public key"};
  if (mbedtls_pk_parse_public_key(out.get(), der.data(), der.size()) != 0)
    return {Errc::malformed, "not a point on P-256"};
  return {};
}

std::string oid(const char* text, std::size_t size) {
  return {text, size};
}

// ---- names ----

bool is_plain(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string escaped(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_plain(byte)) {
      out += c;
    } else {
      out += '%', out += kHex[byte >> 4], out += kHex[byte & 15];
    }
  }
  return out;
}

// The one text that escapes to this, if any.
std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return {};
    const auto digit = [&](char c) -> int {
      if (c >= '0' && c <= '9') return c - '0';
      return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    const int high = digit(text[i + 1]), low = digit(text[i + 2]);
    if (high < 0 || low < 0) return {};
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return escaped(out) == text ? std::optional(out) : std::nullopt;
}

constexpr std::string_view kScheme = "dunlin://";

std::string uri_of(const Member& member) {
  std::string uri(kScheme);
  uri += escaped(member.fleet) + "/" + escaped(member.cell) + "/" + escaped(member.role) + "/";
  return uri + escaped(member.name);
}

std::optional<Member> member_of(std::string_view uri) {
  if (!uri.starts_with(kScheme)) return {};
  uri.remove_prefix(kScheme.size());
  std::array<std::string, 4> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t end = uri.find('/');
    if ((end == std::string_view::npos) != (i + 1 == parts.size())) return {};
    const auto part = unescaped(uri.substr(0, end));
    if (!part) return {};
    parts[i] = *part;
    if (end != std::string_view::npos) uri.remove_prefix(end + 1);
  }
  return Member{parts[0], parts[1], parts[2], parts[3]};
}

// Four bytes of an IPv4 address, if it is one. Gateways are named otherwise by DNS.
std::optional<std::array<unsigned char, 4>> address_of(const std::string& host) {
  std::array<unsigned, 4> n{};
  char rest = 0;
  if (std::sscanf(host.c_str(), "%3u.%3u.%3u.%3u%c", &n[0], &n[1], &n[2], &n[3], &rest) != 4)
    return {};
  std::array<unsigned char, 4> out{};
  for (std::size_t i = 0; i < 4; ++i) {
    if (n[i] > 255) return {};
    out[i] = static_cast<unsigned char>(n[i]);
  }
  return out;
}

std::string text_of_address(ByteView bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) out += (out.empty() ? "" : ".") + std::to_string(byte);
  return out;
}

// ---- extensions: DER, written from the end ----

class DerWriter {
 public:
  void name(unsigned char kind, const unsigned char* bytes, std::size_t size) {
    note(mbedtls_asn1_write_raw_buffer(&at_, buffer_.data(), bytes, size));
    note(mbedtls_asn1_write_len(&at_, buffer_.data(), size));
    note(mbedtls_asn1_write_tag(&at_, buffer_.data(),
                                static_cast<unsigned char>(MBEDTLS_ASN1_CONTEXT_SPECIFIC | kind)));
  }
  void object(const std::string& id) {
    note(mbedtls_asn1_write_oid(&at_, buffer_.data(), id.data(), id.size()));
  }
  // Everything so far becomes one sequence.
  Result<Bytes> sequence() {
    const std::size_t size = static_cast<std::size_t>(buffer_.data() + buffer_.size() - at_);
    note(mbedtls_asn1_write_len(&at_, buffer_.data(), size));
    note(mbedtls_asn1_write_tag(&at_, buffer_.data(),
                                MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE));
    if (code_ < 0) return {Errc::too_large, "more names than a certificate takes"};
    return Bytes(at_, buffer_.data() + buffer_.size());
  }

 private:
  void note(int code) { code_ = std::min(code_, code); }

  std::array<unsigned char, 1024> buffer_{};
  unsigned char* at_ = buffer_.data() + buffer_.size();
  int code_ = 0;
};

Result<Bytes> subject_names(const Member& member, const std::vector<std::string>& hosts) {
  DerWriter der;
  for (auto host = hosts.rbegin(); host != hosts.rend(); ++host) {
    if (const auto address = address_of(*host)) {
      der.name(kAddress, address->data(), address->size());
    } else {
      der.name(kDns, reinterpret_cast<const unsigned char*>(host->data()), host->size());
    }
  }
  const std::string uri = uri_of(member);
  der.name(kUri, reinterpret_cast<const unsigned char*>(uri.data()), uri.size());
  return der.sequence();
}

Result<Bytes> key_purposes(bool serves) {
  DerWriter der;
  der.object(oid(MBEDTLS_OID_CLIENT_AUTH, sizeof MBEDTLS_OID_CLIENT_AUTH - 1));
  if (serves) der.object(oid(MBEDTLS_OID_SERVER_AUTH, sizeof MBEDTLS_OID_SERVER_AUTH - 1));
  return der.sequence();
}

// ---- times ----

std::string x509_time(UtcMicros time) {
  const std::chrono::sys_seconds at(std::chrono::seconds(time / 1'000'000));
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(at - day);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04d%02u%02u%02d%02d%02d", int(date.year()),
                unsigned(date.month()), unsigned(date.day()), int(clock.hours().count()),
                int(clock.minutes().count()), int(clock.seconds().count()));
  return text.data();
}

Result<UtcMicros> utc_of(const mbedtls_x509_time& time) {
  using namespace std::chrono;
  const year_month_day date{year(time.year), month(static_cast<unsigned>(time.mon)),
                            day(static_cast<unsigned>(time.day))};
  if (!date.ok()) return {Errc::malformed, "a date that there is not"};
  const sys_seconds at = sys_days(date) + hours(time.hour) + minutes(time.min) + seconds(time.sec);
  return UtcMicros{at.time_since_epoch().count()} * 1'000'000;
}

// ---- writing ----

struct Signing {
  NodeKey& issuer;
  std::string issuer_name;
  ByteView public_key;
  std::string subject_name;
  Validity validity;
};

// `extend` adds what this kind of certificate says.
template <typename Extend>
Result<Certificate> sign(const Signing& what, Extend extend) {
  KeyContext issuer, subject;
  DUNLIN_TRY(load_private(what.issuer, issuer));
  DUNLIN_TRY(load_public(what.public_key, subject));
  if (what.validity.from < 0 || what.validity.until <= what.validity.from ||
      what.validity.until >= kLatestUtc)
    return {Errc::invalid_argument, "a certificate that is never valid"};

  CertificateWriter writer;
  std::array<unsigned char, 16> serial_bytes{};
  random_bytes(serial_bytes);
  serial_bytes[0] = static_cast<unsigned char>(1 + serial_bytes[0] % 127);  // positive, full length
  BigNumber serial;
  int code = mbedtls_mpi_read_binary(serial.get(), serial_bytes.data(), serial_bytes.size());
  const auto next = [&](int result) { code = code == 0 ? result : code; };
  mbedtls_x509write_crt_set_version(writer.get(), MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_issuer_key(writer.get(), issuer.get());
  mbedtls_x509write_crt_set_subject_key(writer.get(), subject.get());
  next(mbedtls_x509write_crt_set_serial(writer.get(), serial.get()));
  next(mbedtls_x509write_crt_set_issuer_name(writer.get(), what.issuer_name.c_str()));
  next(mbedtls_x509write_crt_set_subject_name(writer.get(), what.subject_name.c_str()));
  next(mbedtls_x509write_crt_set_validity(writer.get(), x509_time(what.validity.from).c_str(),
                                          x509_time(what.validity.until).c_str()));
  next(mbedtls_x509write_crt_set_subject_key_identifier(writer.get()));
  next(mbedtls_x509write_crt_set_authority_key_identifier(writer.get()));
  next(extend(writer.get()));
  if (code != 0) return failed("making a certificate", code);
  std::array<unsigned char, kDerBytesMax> der{};
  const int size =
      mbedtls_x509write_crt_der(writer.get(), der.data(), der.size(), fill_random, nullptr);
  if (size <= 0) return failed("signing a certificate", size);
  return Certificate::from_der(ByteView(der).last(static_cast<std::size_t>(size)));
}

std::string pem_of(const char* kind, ByteView der) {
  const std::string begin = std::string("-----BEGIN ") + kind + "-----\n";
  const std::string end = std::string("-----END ") + kind + "-----\n";
  std::string out(2 * kDerBytesMax, '\0');
  std::size_t size = 0;
  DUNLIN_CHECK(mbedtls_pem_write_buffer(begin.c_str(), end.c_str(), der.data(), der.size(),
                                        reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                        &size) == 0);
  out.resize(size - 1);  // the zero behind it
  return out;
}

// The bytes of the only PEM block of that kind in the text.
Result<Bytes> from_pem(const char* kind, std::string_view pem) {
  const std::string begin = std::string("-----BEGIN ") + kind + "-----";
  const std::string end = std::string("-----END ") + kind + "-----";
  const std::size_t first = pem.find(begin);
  const std::size_t last = pem.find(end);
  const Error malformed{Errc::malformed, std::string("not one ") + kind + " in PEM form"};
  if (first == std::string_view::npos || last == std::string_view::npos || last < first ||
      pem.find(begin, first + 1) != std::string_view::npos || pem.size() > 3 * kDerBytesMax)
    return malformed;
  Bytes der(kDerBytesMax);
  std::size_t size = 0;
  const std::string_view body = pem.substr(first + begin.size(), last - first - begin.size());
  if (mbedtls_base64_decode(der.data(), der.size(), &size,
                            reinterpret_cast<const unsigned char*>(body.data()), body.size()) != 0)
    return malformed;
  der.resize(size);
  return der;
}

std::string common_name_of(const mbedtls_x509_name& subject) {
  for (const mbedtls_x509_name* part = &subject; part != nullptr; part = part->next) {
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &part->oid) == 0)
      return {reinterpret_cast<const char*>(part->val.p), part->val.len};
  }
  return {};
}

Result<Bytes> public_key_of(mbedtls_pk_context& key) {
  std::array<unsigned char, 256> der{};
  const int size = mbedtls_pk_write_pubkey_der(&key, der.data(), der.size());
  if (size <= 0) return {Errc::malformed, "not a P-256 public key"};
  const ByteView bytes = ByteView(der).last(static_cast<std::size_t>(size));
  if (!is_public_key_form(bytes)) return {Errc::malformed, "not a P-256 public key"};
  return Bytes(bytes.begin(), bytes.end());
}

Result<void> parse(ByteView der, ParsedCertificate& out) {
  const int code = mbedtls_x509_crt_parse_der(out.get(), der.data(), der.size());
  if (code != 0 || out->raw.len != der.size() || out->next != nullptr)
    return {Errc::malformed, "not an X.509 certificate"};
  return {};
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }) &&
         text.find_first_of(",=+<>#;\"\\") == std::string_view::npos;
}

}  // namespace

std::vector<std::string> cells_of(const std::string& cell) {
  std::vector<std::string> cells(1);
  for (const char c : cell) {
    if (c == ',') {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  DUNLIN_ASSIGN(const Bytes der, security::from_pem("CERTIFICATE", pem));
  return from_der(der);
}

Result<Certificate> Certificate::from_der(ByteView der) {
  if (der.size() > kDerBytesMax) return {Errc::too_large, "a certificate of that size"};
  ParsedCertificate parsed;
  DUNLIN_TRY(parse(der, parsed));
  Certificate out;
  out.der_.assign(der.begin(), der.end());
  DUNLIN_ASSIGN(out.public_key_, public_key_of(parsed->pk));
  out.common_name_ = common_name_of(parsed->subject);
  DUNLIN_ASSIGN(out.validity_.from, utc_of(parsed->valid_from));
  DUNLIN_ASSIGN(out.validity_.until, utc_of(parsed->valid_to));
  out.is_authority_ = parsed->ca_istrue != 0;
  for (const mbedtls_x509_sequence* name = &parsed->subject_alt_names; name != nullptr;
       name = name->next) {
    const auto is = [&](int kind) {
      return name->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | kind);
    };
    const ByteView bytes(name->buf.p, name->buf.len);
    const std::string text(bytes.begin(), bytes.end());
    if (is(kUri) && !out.member_) out.member_ = member_of(text);
    if (is(kDns)) out.hosts_.push_back(text);
    if (is(kAddress) && bytes.size() == 4) out.hosts_.push_back(text_of_address(bytes));
  }
  return out;
}

std::string Certificate::to_pem() const {
  return pem_of("CERTIFICATE", der_);
}

namespace {

// Whether that authority signed it; times are not looked at.
Result<bool> is_signed_by(const Certificate& certificate, const Certificate& authority) {
  ParsedCertificate parsed, issuer;
  DUNLIN_TRY(parse(certificate.der(), parsed));
  DUNLIN_TRY(parse(authority.der(), issuer));
  std::uint32_t flags = 0;
  const int code = mbedtls_x509_crt_verify(parsed.get(), issuer.get(), nullptr, nullptr, &flags,
                                           nullptr, nullptr);
  constexpr std::uint32_t kTimes = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
  if (code != 0 && code != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) return failed("verifying", code);
  return (flags & ~kTimes) == 0;
}

}  // namespace

bool is_signed_by_itself(const Certificate& certificate) {
  // Not is_signed_by(): to be trusted already is enough for that.
  ParsedCertificate parsed;
  if (!parse(certificate.der(), parsed).ok() || parsed->sig_md != MBEDTLS_MD_SHA256) return false;
  const Hash digest = sha256({parsed->tbs.p, parsed->tbs.len});
  return mbedtls_pk_verify(&parsed->pk, MBEDTLS_MD_SHA256, digest.data(), digest.size(),
                           parsed->sig.p, parsed->sig.len) == 0;
}

bool succeeds(const Certificate& newer, const Certificate& former) {
  if (!newer.is_authority() || newer.public_key() != former.public_key() ||
      newer.common_name() != former.common_name() ||
      newer.validity().until <= former.validity().until)
    return false;
  const Result<bool> by_its_key = is_signed_by(newer, former);
  return by_its_key.ok() && *by_its_key;
}

Result<void> verify(const Certificate& certificate, const Certificate& authority,
                    std::optional<UtcMicros> now) {
  const auto untrusted = [](const std::string& why) { return Error{Errc::untrusted, why}; };
  if (!authority.is_authority()) return untrusted("its issuer is no authority");
  if (!certificate.member() || certificate.is_authority())
    return untrusted("it is not the certificate of a member");
  DUNLIN_ASSIGN(const bool ours, is_signed_by(certificate, authority));
  if (!ours) return untrusted("the fleet's authority did not sign it");
  if (certificate.common_name() != certificate.node().to_string())
    return untrusted("it names another node than the one of its key");
  if (certificate.member()->fleet != authority.common_name())
    return untrusted("it is of the fleet " + certificate.member()->fleet);
  for (const Certificate* each : {&certificate, &authority}) {
    if (now && *now < each->validity().from)
      return {Errc::expired, "a certificate that is not valid yet"};
    if (now && *now > each->validity().until) return {Errc::expired, "a certificate that is over"};
  }
  return {};
}

namespace {

class CertificateAdmission final : public Admission {
 public:
  explicit CertificateAdmission(Certificate authority) : authority_(std::move(authority)) {}
  const NodeId& authority() const override { return node_; }
  Result<Admitted> examine(ByteView der) override {
    DUNLIN_ASSIGN(const Certificate certificate, Certificate::from_der(der));
    DUNLIN_TRY(verify(certificate, authority_, std::nullopt));
    const Member& member = *certificate.member();
    const bool keeper = member.role == "keeper";
    if (member.role != "agent" && !keeper && member.role != "gateway")
      return {Errc::untrusted, "the certificate of a " + member.role};
    const std::vector<std::string> cells = cells_of(member.cell);
    const bool fleet = keeper && std::ranges::find(cells, kBackboneName) != cells.end();
    return Admitted{
        certificate.node(),          member.role == "gateway", member.name, keeper, fleet,
        certificate.validity().until};
  }
  bool is_for(ByteView der, std::string_view cell) const override {
    const Result<Certificate> certificate = Certificate::from_der(der);
    if (!certificate.ok() || !certificate->member()) return false;
    const std::vector<std::string> cells = cells_of(certificate->member()->cell);
    return std::ranges::find(cells, cell) != cells.end();
  }

 private:
  Certificate authority_;
  NodeId node_ = authority_.node();
};

}  // namespace

std::unique_ptr<Admission> make_admission(Certificate authority) {
  return std::make_unique<CertificateAdmission>(std::move(authority));
}

namespace {

// Self-signed.
Result<Certificate> certificate_of(NodeKey& key, const std::string& fleet, Validity validity) {
  if (!is_name(fleet)) return {Errc::invalid_argument, "the name of a fleet"};
  const std::string name = "CN=" + fleet;
  return sign({key, name, key.public_key(), name, validity}, [](mbedtls_x509write_cert* writer) {
    const int code = mbedtls_x509write_crt_set_basic_constraints(writer, 1, 0);
    return code != 0 ? code
                     : mbedtls_x509write_crt_set_key_usage(writer, MBEDTLS_X509_KU_KEY_CERT_SIGN);
  });
}

}  // namespace

Result<Authority> Authority::create(std::unique_ptr<NodeKey> key, const std::string& fleet,
                                    Validity validity) {
  DUNLIN_ASSIGN(Certificate certificate, certificate_of(*key, fleet, validity));
  return Authority(std::move(key), std::move(certificate));
}

Result<Authority> Authority::load(std::unique_ptr<NodeKey> key, Certificate certificate) {
  if (!certificate.is_authority() || certificate.public_key() != key->public_key())
    return {Errc::untrusted, "the certificate is not that of the authority's key"};
  return Authority(std::move(key), std::move(certificate));
}

Result<void> Authority::renew(Validity validity) {
  DUNLIN_ASSIGN(certificate_, certificate_of(*key_, fleet(), validity));
  return {};
}

Result<Certificate> Authority::issue(ByteView public_key, const Member& member, Validity validity,
                                     const std::vector<std::string>& hosts) {
  if (member.fleet != fleet()) return {Errc::invalid_argument, "a member of another fleet"};
  DUNLIN_ASSIGN(const Bytes names, subject_names(member, hosts));
  DUNLIN_ASSIGN(const Bytes purposes, key_purposes(!hosts.empty()));
  const std::string subject = "CN=" + node_id_of(public_key).to_string();
  return sign(
      {*key_, "CN=" + fleet(), public_key, subject, validity}, [&](mbedtls_x509write_cert* writer) {
        int code = mbedtls_x509write_crt_set_basic_constraints(writer, 0, -1);
        const auto add = [&](const std::string& id, const Bytes& value) {
          if (code == 0)
            code = mbedtls_x509write_crt_set_extension(writer, id.data(), id.size(), 0,
                                                       value.data(), value.size());
        };
        add(oid(MBEDTLS_OID_SUBJECT_ALT_NAME, sizeof MBEDTLS_OID_SUBJECT_ALT_NAME - 1), names);
        add(oid(MBEDTLS_OID_EXTENDED_KEY_USAGE, sizeof MBEDTLS_OID_EXTENDED_KEY_USAGE - 1),
            purposes);
        return code != 0
                   ? code
                   : mbedtls_x509write_crt_set_key_usage(writer, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
      });
}

Result<std::string> make_request(const NodeKey& key, const std::string& name) {
  if (!is_name(name)) return {Errc::invalid_argument, "the name of a device"};
  KeyContext context;
  DUNLIN_TRY(load_private(key, context));
  RequestWriter writer;
  mbedtls_x509write_csr_set_md_alg(writer.get(), MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(writer.get(), context.get());
  const std::string subject = "CN=" + name;
  if (const int code = mbedtls_x509write_csr_set_subject_name(writer.get(), subject.c_str()))
    return failed("making a request", code);
  std::array<unsigned char, kDerBytesMax> der{};
  const int size =
      mbedtls_x509write_csr_der(writer.get(), der.data(), der.size(), fill_random, nullptr);
  if (size <= 0) return failed("signing a request", size);
  return pem_of("CERTIFICATE REQUEST", ByteView(der).last(static_cast<std::size_t>(size)));
}

Result<Request> read_request(std::string_view pem) {
  DUNLIN_ASSIGN(const Bytes der, security::from_pem("CERTIFICATE REQUEST", pem));
  ParsedRequest parsed;
  if (mbedtls_x509_csr_parse_der(parsed.get(), der.data(), der.size()) != 0 ||
      parsed->raw.len != der.size())
    return {Errc::malformed, "not a certificate signing request"};
  Request request;
  DUNLIN_ASSIGN(request.public_key, public_key_of(parsed->pk));
  request.name = common_name_of(parsed->subject);
  const Hash digest = sha256({parsed->cri.p, parsed->cri.len});
  if (parsed->sig_md != MBEDTLS_MD_SHA256 ||
      mbedtls_pk_verify(&parsed->pk, MBEDTLS_MD_SHA256, digest.data(), digest.size(), parsed->sig.p,
                        parsed->sig.len) != 0)
    return {Errc::bad_signature, "a request that its key did not sign"};
  return request;
}

}  // namespace dunlin::security
