// The rules of the house that a compiler does not see: who includes whom, what the deterministic
// core may not touch, and how long a file may grow.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace dunlin {
namespace {

namespace fs = std::filesystem;

struct Source {
  std::string path;    // from the repository root
  std::string folder;  // "common/log", "agent", "public" for common/include
  std::vector<std::string> lines;
};

std::string folder_of(const std::string& path) {
  const auto first = path.find('/');
  if (!path.starts_with("common/")) return path.substr(0, first);
  const std::string folder = path.substr(0, path.find('/', first + 1));
  return folder == "common/include" ? "public" : folder;
}

std::vector<Source> sources() {
  const fs::path root = DUNLIN_SOURCE_DIR;
  std::vector<Source> all;
  for (const char* top : {"common", "agent", "cli", "gateway"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cc") continue;
      Source source{fs::relative(entry.path(), root).generic_string(), {}, {}};
      source.folder = folder_of(source.path);
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) source.lines.push_back(line);
      all.push_back(std::move(source));
    }
  }
  std::sort(all.begin(), all.end(),
            [](const Source& a, const Source& b) { return a.path < b.path; });
  return all;
}

// ---- who includes whom ----

// What each folder may include besides itself and the public headers.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"public", {}},
    {"common/base", {}},
    {"common/log", {"common/base"}},
    {"common/codec", {"common/base", "common/log"}},
    {"common/table", {"common/base", "common/log", "common/codec"}},
    {"common/replication", {"common/base", "common/log", "common/codec", "common/table"}},
    // Signer and Verifier, which it implements, are interfaces of the log.
    {"common/security", {"common/base", "common/log"}},
    {"common/storage", {"common/base", "common/log", "common/codec", "common/table"}},
    {"common/transport", {"common/base"}},
    {"common/config", {"common/base"}},
    {"common/telemetry", {"common/base"}},
    {"common/http", {"common/base", "common/telemetry"}},
    {"common/page", {"common/base"}},
    {"common/runtime",
     {"common/base", "common/log", "common/codec", "common/table", "common/replication",
      "common/security", "common/storage", "common/transport", "common/config",
      "common/telemetry"}},
    {"common/api",
     {"common/base", "common/log", "common/replication", "common/security", "common/storage",
      "common/runtime", "common/telemetry", "common/http"}},
    {"agent", {"common/base", "common/runtime", "common/api", "common/config", "common/telemetry"}},
    {"cli",
     {"common/base", "common/log", "common/codec", "common/replication", "common/runtime",
      "common/security", "common/storage", "common/transport", "common/http", "common/telemetry",
      "common/config", "common/page"}},
    {"gateway",
     {"common/base", "common/runtime", "common/api", "common/config", "common/telemetry"}},
};

// Single headers that are plain constants, open to the programs as well.
const std::set<std::string> kOpenHeaders = {"common/log/limits.h"};

TEST(House, IncludesPointInOneDirection) {
  const std::regex include("^\\s*#\\s*include\\s*\"([^\"]+)\"");
  std::size_t seen = 0;
  for (const Source& source : sources()) {
    const auto rule = kMayInclude.find(source.folder);
    ASSERT_NE(rule, kMayInclude.end()) << source.path << ": a folder without a rule; add one here";
    for (std::size_t i = 0; i < source.lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(source.lines[i], match, include)) continue;
      const std::string target = match[1];
      ++seen;
      const std::string place = source.path + ":" + std::to_string(i + 1) + " includes " + target;
      EXPECT_EQ(target.find("../"), std::string::npos)
          << place << "; include from the repository root";
      if (target.starts_with("dunlin/") || kOpenHeaders.contains(target)) continue;
      const std::string folder = folder_of(target);
      EXPECT_TRUE(folder == source.folder || rule->second.contains(folder)) << place;
    }
  }
  EXPECT_GT(seen, 200U);
}

// ---- the deterministic core ----

const std::set<std::string> kCore = {"common/log", "common/codec", "common/table",
                                     "common/replication"};

struct Ban {
  const char* pattern;
  const char* why;
};

const Ban kBans[] = {
    {R"(\b(steady_clock|system_clock|high_resolution_clock|utc_clock|utc_now)\b)", "reads a clock"},
    {R"(\b(gettimeofday|clock_gettime|localtime(_r)?|gmtime(_r)?)\b|(^|[^\w.>:])(std::)?time\s*\()",
     "reads a clock"},
    {R"(\bstd::j?thread\b|\bpthread_|\bthread_local\b|\bstd::async\b)", "has threads"},
    {R"(\bmutex\b|\b(lock_guard|unique_lock|scoped_lock|condition_variable)\b|\bstd::atomic)",
     "has locks"},
    {R"(#\s*include\s*<(thread|mutex|shared_mutex|atomic|future|condition_variable|semaphore|latch|barrier|stop_token)>)",
     "has threads or locks"},
    {R"(#\s*include\s*<(fstream|iostream|filesystem|cstdio|stdio\.h|unistd\.h|fcntl\.h|poll\.h|netdb\.h)>)",
     "does I/O"},
    {R"(#\s*include\s*<(sys|netinet|arpa)/)", "calls the operating system"},
    {R"(\b(fopen|popen|getenv|setenv|getaddrinfo)\s*\(|(^|[^\w.>])::(open|read|write|socket|send|recv|connect)\s*\()",
     "does I/O"},
    {R"(\bstd::(cout|cerr|clog|printf|fprintf)\b)", "does I/O"},
    {R"(\brandom_device\b|\b(s?rand|getrandom|random_bytes|random_u64)\s*\(|\bmt19937)",
     "draws foreign randomness"},
    {R"(\bunordered_(multi)?(map|set)\b)", "has containers without an order"},
    {R"(\b(double|float|long double)\b|\.unit\(\)|#\s*include\s*<(cmath|math\.h)>)",
     "computes in floating point"},
};

struct Exception {
  const char* path;
  const char* fragment;  // of the line
  const char* reason;
};

const Exception kExceptions[] = {
    {"common/codec/segment_codec.cc", "thread_local const Owned<ZSTD_CCtx",
     "a scratch buffer of the compressor, expensive to make; its contents never reach the output"},
    {"common/codec/columns.cc", "unordered_map", "texts already seen: looked up, never iterated"},
    {"common/codec/columns.cc", "std::bit_cast<double>",
     "bits become a cell's value, nothing is computed"},
    {"common/codec/cbor.h", "void real(double value)", "a cell's value on its way into bits"},
    {"common/codec/cbor.h", "Result<double> real()", "a cell's value on its way out of bits"},
    {"common/codec/cbor.cc", "double", "passes values through as bits"},
    {"common/codec/entry_codec.cc", "const double value, r.real()", "a cell's value, passed on"},
};

// The code of a line: without comments and string literals.
std::string code_of(const std::string& line) {
  static const std::regex kLiteral(R"("([^"\\]|\\.)*")");
  std::string code = std::regex_replace(line, kLiteral, "\"\"");
  if (line.find("#include") != std::string::npos) code = line;
  const std::size_t comment = code.find("//");
  return comment == std::string::npos ? code : code.substr(0, comment);
}

// The reason for which a line may stand, or null.
const Exception* exception_for(const Source& source, const std::string& line) {
  for (const Exception& exception : kExceptions) {
    if (source.path == exception.path && line.find(exception.fragment) != std::string::npos)
      return &exception;
  }
  return nullptr;
}

TEST(House, TheCoreIsDeterministic) {
  std::vector<std::regex> patterns;
  for (const Ban& ban : kBans) patterns.emplace_back(ban.pattern);
  std::set<const Exception*> used;
  std::size_t lines = 0;
  for (const Source& source : sources()) {
    if (!kCore.contains(source.folder)) continue;
    for (std::size_t i = 0; i < source.lines.size(); ++i, ++lines) {
      const std::string code = code_of(source.lines[i]);
      for (std::size_t b = 0; b < patterns.size(); ++b) {
        if (!std::regex_search(code, patterns[b])) continue;
        const Exception* exception = exception_for(source, code);
        if (exception == nullptr) {
          ADD_FAILURE() << source.path << ":" << i + 1 << " " << kBans[b].why << ": "
                        << source.lines[i];
        }
        used.insert(exception);
      }
    }
  }
  EXPECT_GT(lines, 2000U);
  for (const Exception& exception : kExceptions) {
    EXPECT_TRUE(used.contains(&exception))
        << exception.path << ": an exception that nothing needs any more: " << exception.fragment;
  }
}

TEST(House, TheBansSeeWhatTheyBan) {
  const std::pair<const char*, const char*> banned[] = {
      {"auto now = std::chrono::steady_clock::now();", "reads a clock"},
      {"const auto t = time(nullptr);", "reads a clock"},
      {"std::mutex mutex_;", "has locks"},
      {"thread_local int scratch;", "has threads"},
      {"#include <fstream>", "does I/O"},
      {"if (::write(fd, p, n) < 0)", "does I/O"},
      {"std::random_device seed;", "draws foreign randomness"},
      {"std::unordered_map<int, int> m;", "has containers without an order"},
      {"double share = 0;", "computes in floating point"},
      {"if (random.unit() < p)", "computes in floating point"},
  };
  for (const auto& [line, why] : banned) {
    bool found = false;
    for (const Ban& ban : kBans) {
      if (std::string_view(ban.why) != why) continue;
      found = found || std::regex_search(code_of(line), std::regex(ban.pattern));
    }
    EXPECT_TRUE(found) << line;
  }
  for (const char* line :
       {"const auto t = rows.time(row);", "sum += set->time(0);", "// uses no mutex", "\"double\"",
        "log.times.learned(1);", "w.write(x);", "runtime(x);"}) {
    for (const Ban& ban : kBans) {
      EXPECT_FALSE(std::regex_search(code_of(line), std::regex(ban.pattern)))
          << line << " " << ban.why;
    }
  }
}

// ---- sizes ----

TEST(House, FilesStayShort) {
  constexpr std::size_t kHeaderLinesMax = 200;  // 150 is the aim
  constexpr std::size_t kSourceLinesMax = 800;
  for (const Source& source : sources()) {
    const bool header = source.path.ends_with(".h");
    EXPECT_LE(source.lines.size(), header ? kHeaderLinesMax : kSourceLinesMax) << source.path;
    EXPECT_TRUE(!header || (!source.lines.empty() && source.lines.front() == "#pragma once"))
        << source.path;
  }
}

}  // namespace
}  // namespace dunlin
