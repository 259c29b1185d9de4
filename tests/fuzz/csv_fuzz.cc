// A CSV file is replayed at full speed, whatever is in it. The first byte says how.
#include "agent/inputs/csv.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/reading_sink.h"

namespace dunlin::fuzz {

namespace {

constexpr std::string_view kKeys[] = {
    "",
    "time = \"time\"\n",
    "time = \"date time\"\ntime_format = \"%d.%m.%Y %H:%M:%S\"\n",
    "time = \"column_1\"\ntime_format = \"unix\"\nheader = false\ndelimiter = \";\"\n",
    "shift_to_now = true\ntime = \"time\"\n[columns]\nt = \"temperature:decimal(2):Cel\"\n",
};

// A file without a name, opened by its path as any other.
std::string file_of(ByteView content) {
  static const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  DUNLIN_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
  DUNLIN_CHECK(pwrite(fd, content.data(), content.size(), 0) ==
               static_cast<ssize_t>(content.size()));
  return "/proc/self/fd/" + std::to_string(fd);
}

}  // namespace

void take(ByteView input) {
  if (input.empty()) return;
  const std::string_view keys = kKeys[input[0] % std::size(kKeys)];
  auto document = config::Document::parse(
      "file = \"" + file_of(input.subspan(1)) + "\"\n" + std::string(keys), "fuzz.toml", {});
  DUNLIN_CHECK(document.ok());
  const auto csv = agent::make_csv_input(document->root());
  DUNLIN_CHECK(csv.ok() && document->mistakes().empty());
  ReadingSink sink;
  const Result<void> read = (*csv)->run(sink, {});
  DUNLIN_CHECK(read.ok() || !read.error().message().empty());
}

}  // namespace dunlin::fuzz
