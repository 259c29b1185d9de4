// fuzz-seeds FOLDER: first inputs for the targets, a folder each. Those of our own formats are the
// golden vectors; texts stand in seeds/, parted by lines of "----".
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/answer.h"
#include "common/base/check.h"
#include "common/base/random.h"
#include "common/codec/segment_codec.h"
#include "common/security/bundle.h"
#include "tests/fuzz/open_token.h"
#include "tests/vectors/golden.h"
#include "tests/vectors/samples.h"

namespace dunlin::fuzz {
namespace {

std::filesystem::path g_folder;

void write(const std::string& target, const std::string& name, ByteView bytes) {
  std::filesystem::create_directories(g_folder / target);
  std::ofstream out(g_folder / target / name, std::ios::binary);
  out << as_text(bytes);
  DUNLIN_CHECK(out.flush().good());
}

void write_all(const std::string& target, std::string_view vectors) {
  const auto found = test::read_golden(vectors);
  DUNLIN_CHECK(!found.empty());
  for (const auto& [name, bytes] : found) write(target, name, bytes);
}

// The payload of a segment, with the number of its entries in front.
void write_columns() {
  for (const auto& [name, bytes] : test::read_golden("segments.txt")) {
    const Result<SegmentHeader> header = parse_segment(bytes);
    DUNLIN_CHECK(header.ok());
    if (header->codec != PayloadCodec::columns) continue;
    const Seq more = header->last - header->first;
    Bytes input = {static_cast<std::uint8_t>(more), static_cast<std::uint8_t>(more >> 8)};
    input.insert(input.end(), header->payload.begin(), header->payload.end());
    write("columns", name, input);
  }
}

void write_text(const std::string& target, const std::filesystem::path& file) {
  std::ifstream in(file);
  DUNLIN_CHECK(in.is_open());
  std::string seed;
  int number = 0;
  const auto finish = [&] {
    if (!seed.empty()) seed.pop_back();  // the end of the last line
    write(target, file.stem().string() + std::to_string(++number), as_bytes(seed));
    seed.clear();
  };
  for (std::string line; std::getline(in, line);) {
    if (line == "----") {
      finish();
    } else {
      seed += line + "\n";
    }
  }
  finish();
}

// Operations are any bytes: long runs of them go deep from the start.
void write_operations() {
  Random random(1);
  for (int i = 0; i < 32; ++i) {
    Bytes bytes(64 + random.below(512));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    write("replica", "random" + std::to_string(i), bytes);
  }
}

void write_certificate(const std::string& name, const security::Certificate& certificate) {
  write("certificate", name, certificate.der());
  write("certificate", name + "_pem", as_bytes(certificate.to_pem()));
}

// A fleet of the test key's: other keys are made as they are needed, and none is kept.
void write_fleet() {
  constexpr security::Validity kAlways{0, 4'000'000'000'000'000};
  security::Authority authority =
      security::Authority::create(test::test_key(), "mountain", kAlways).value();
  write_certificate("authority", authority.certificate());
  for (const std::string role : {"agent", "gateway"}) {
    const auto key = security::NodeKey::generate().value();
    const std::vector<std::string> hosts{"gate.example.org", "10.0.0.7"};
    const auto certificate =
        authority
            .issue(key->public_key(), {"mountain", "north face", role, "Gewächs/haus 7%"}, kAlways,
                   role == "gateway" ? hosts : std::vector<std::string>())
            .value();
    write_certificate(role, certificate);
    const security::Bundle bundle{
        {certificate, authority.certificate(), {"mqtts://broker", "https://gate:7443"}},
        key->to_pem().value()};
    write("bundle", role, as_bytes(write_bundle(bundle)));
    write("answer", role, as_bytes(cli::write_answer(bundle.membership, authority.key()).value()));
    const std::string request = make_request(*key, "greenhouse 7").value();
    write("request", role, as_bytes(request));
    const security::Token token = open_token();
    const nlohmann::json renewal{{"request", request}};
    nlohmann::json enrolment = renewal;
    enrolment["token"] = token.id;
    enrolment["proof"] = to_hex(security::prove(token.secret, request));
    write("enrolment", role, as_bytes(enrolment.dump()));
    write("enrolment", role + "_renewal", as_bytes(renewal.dump()));
    write("token", role, as_bytes(write_token(token)));
  }
}

void write_seeds() {
  const std::filesystem::path source = DUNLIN_SOURCE_DIR;
  write_all("entry", "entries.txt");
  write_all("envelope", "messages.txt");
  write_all("log_state", "log_state.txt");
  write_all("segment", "segments.txt");
  write_columns();
  write_operations();
  write_fleet();
  for (const char* target :
       {"csv", "exposition", "json", "line_protocol", "sensor", "time", "topic"}) {
    write_text(target, source / "tests/fuzz/seeds" / (std::string(target) + ".txt"));
  }
  write_text("config", source / "agent/packaging/agent.example.toml");
  write_text("config", source / "gateway/packaging/gateway.example.toml");
  write_text("config", source / "tests/fuzz/seeds/config.txt");
}

}  // namespace
}  // namespace dunlin::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz-seeds FOLDER\n", stderr);
    return 2;
  }
  dunlin::fuzz::g_folder = argv[1];
  dunlin::fuzz::write_seeds();
  return 0;
}
