#include "tests/firmware/machine.h"

#include <signal.h>

#include <fstream>
#include <sstream>

#include "cli/image/disk.h"
#include "cli/image/files.h"
#include "common/storage/query.h"

namespace dunlin::test {

namespace fs = std::filesystem;

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

Result<void> Machine::start(std::vector<std::string> options) {
  std::vector<std::string> args = {"image",
                                   "run",
                                   image_,
                                   "--disk",
                                   disk_,
                                   "--profiles",
                                   std::string(DUNLIN_SOURCE_DIR) + "/firmware-profiles"};
  args.insert(args.end(), options.begin(), options.end());
  DUNLIN_ASSIGN(process_, ChildProcess::start({.program = built_program("dunlin"),
                                               .args = std::move(args),
                                               .env = {},
                                               .output_file = log_}));
  return {};
}

void Machine::cut_power() {
  process_.kill(SIGKILL);
  process_.wait(std::chrono::seconds(10));
}

std::string Machine::console() const {
  return text_of(log_);
}

Result<std::int64_t> Machine::readings_on_disk(const TempDir& folder) const {
  const std::string data = folder.file("data.ext4"), files = folder.file("data");
  fs::remove_all(files);
  fs::create_directories(files);
  DUNLIN_ASSIGN(const image::Layout layout, image::read_layout(disk_));
  const image::Extent part = layout.partitions[image::Layout::data];
  std::string content(part.size, '\0');
  std::ifstream in(disk_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(part.offset));
  in.read(content.data(), static_cast<std::streamsize>(part.size));
  DUNLIN_TRY(image::write_file(data, content));
  // As the device does at its next boot.
  (void)run_program({.program = "e2fsck", .args = {"-f", "-y", data}});
  (void)run_program({.program = "debugfs", .args = {"-R", "rdump /agent " + files, data}});
  DUNLIN_ASSIGN(storage::Reader reader, storage::Reader::open(files + "/agent/log.db"));
  DUNLIN_ASSIGN(const storage::Table table,
                reader.query("SELECT coalesce(sum(s.readings), 0) FROM segments s JOIN logs l ON "
                             "l.id = s.log WHERE l.track <> 0",
                             {}, {}));
  return std::get<std::int64_t>(table.rows.at(0).at(0));
}

}  // namespace dunlin::test
