#include "tests/firmware/machine.h"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "cli/image/command.h"
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

Result<image::Extent> Machine::data_partition() const {
  DUNLIN_ASSIGN(const image::Layout layout, image::read_layout(disk_));
  return layout.partitions[image::Layout::data];
}

std::string Machine::boot_slot() const {
  const image::Layout layout = image::read_layout(disk_).value();
  return disk_ + "@@" + std::to_string(layout.partitions[image::Layout::boot].offset);
}

Result<std::int64_t> Machine::on_disk(const TempDir& folder, const std::string& query) const {
  const std::string data = folder.file("data.ext4"), files = folder.file("data");
  fs::remove_all(files);
  fs::create_directories(files);
  DUNLIN_ASSIGN(const image::Extent part, data_partition());
  std::string content(part.size, '\0');
  std::ifstream in(disk_, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(part.offset));
  in.read(content.data(), static_cast<std::streamsize>(part.size));
  DUNLIN_TRY(image::write_file(data, content));
  // As the device does at its next boot.
  (void)run_program({.program = "e2fsck", .args = {"-f", "-y", data}});
  (void)run_program({.program = "debugfs", .args = {"-R", "rdump /agent " + files, data}});
  DUNLIN_ASSIGN(storage::Reader reader, storage::Reader::open(files + "/agent/log.db"));
  DUNLIN_ASSIGN(const storage::Table table, reader.query(query, {}, {}));
  return std::get<std::int64_t>(table.rows.at(0).at(0));
}

Result<std::int64_t> Machine::readings_on_disk(const TempDir& folder) const {
  return on_disk(folder,
                 "SELECT coalesce(sum(s.readings), 0) FROM segments s JOIN logs l ON l.id = s.log "
                 "WHERE l.track <> 0");
}

Result<std::string> Machine::data_file_system() const {
  DUNLIN_ASSIGN(const image::Extent part, data_partition());
  const std::string data = disk_ + "?offset=" + std::to_string(part.offset);
  (void)run_program({.program = "e2fsck", .args = {"-f", "-y", data}});
  return data;
}

Result<std::uint64_t> Machine::free_data() const {
  DUNLIN_ASSIGN(const std::string data, data_file_system());
  DUNLIN_ASSIGN(const std::string about, image::run({{"dumpe2fs", "-h", data}}));
  const auto number = [&](const std::string& name) {
    return std::stoull(about.substr(about.find(name) + name.size()));
  };
  return number("\nFree blocks:") * number("\nBlock size:");
}

Result<void> Machine::leave_free(const TempDir& folder, std::uint64_t left) {
  if (!fs::exists(disk_)) fs::copy_file(image_, disk_);
  DUNLIN_ASSIGN(const std::string data, data_file_system());
  const auto change = [&](const std::string& command) {
    return image::run({{"debugfs", "-w", "-R", command, data}});
  };
  DUNLIN_TRY(change("rm /filler"));
  DUNLIN_ASSIGN(const std::uint64_t room, free_data());
  if (room <= left) return {};
  // Zeros would make a hole.
  const std::string filler = folder.file("filler");
  DUNLIN_TRY(image::write_file(filler, std::string(room - left, 'x')));
  DUNLIN_TRY(change("write " + filler + " /filler"));
  return {};
}

Result<void> Machine::overwrite_data(std::uint64_t size) {
  DUNLIN_ASSIGN(const image::Extent part, data_partition());
  std::fstream disk(disk_, std::ios::binary | std::ios::in | std::ios::out);
  disk.seekp(static_cast<std::streamoff>(part.offset));
  disk << std::string(static_cast<std::size_t>(std::min(size, part.size)), 'x');
  return {};
}

Result<void> Machine::spoil_superblock() {
  // Its copies know of no journal to replay.
  DUNLIN_TRY(data_file_system());
  return overwrite_data(4096);
}

Result<void> Machine::spoil_data() {
  return overwrite_data(UINT64_MAX);
}

}  // namespace dunlin::test
