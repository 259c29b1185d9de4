#include "tests/simulation/disk/sim_disk.h"

#include <algorithm>

#include "tests/simulation/disk/sqlite_vfs.h"

namespace dunlin::simulation {

namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kGoodReads = 2000;

// Every disk there is, by the prefix of its paths.
std::map<std::string, SimDisk*>& disks() {
  static std::map<std::string, SimDisk*> all;
  return all;
}

void apply(Bytes& target, std::uint64_t offset, ByteView bytes) {
  if (target.size() < offset + bytes.size()) target.resize(offset + bytes.size());
  std::copy(bytes.begin(), bytes.end(), target.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

void SimFile::write(std::uint64_t offset, ByteView bytes) {
  apply(content, offset, bytes);
  pending.push_back({offset, Bytes(bytes.begin(), bytes.end())});
}

void SimFile::truncate(std::uint64_t size) {
  content.resize(size);
  pending.push_back({size, {}});
}

SimDisk::SimDisk(std::uint64_t seed) : random_(seed) {
  static std::uint64_t made = 0;
  if (disks().empty()) restart_sqlite_randomness();
  prefix_ = "/simulated/" + std::to_string(++made) + "/";
  disks()[prefix_] = this;
  register_sqlite_vfs();
}

SimDisk::~SimDisk() {
  for (const auto& [path, file] : files_) file->dead = true;
  disks().erase(prefix_);
}

SimDisk* SimDisk::of_path(const std::string& path) {
  const auto it = disks().find(path.substr(0, path.rfind('/') + 1));
  return it == disks().end() ? nullptr : it->second;
}

std::uint64_t SimDisk::bytes() const {
  std::uint64_t total = 0;
  for (const auto& [path, file] : files_) total += file->content.size();
  return total;
}

// ---- what programs do ----

std::shared_ptr<SimFile> SimDisk::find(const std::string& path) const {
  const auto it = files_.find(path);
  return it == files_.end() ? nullptr : it->second;
}

std::shared_ptr<SimFile> SimDisk::create(const std::string& path) {
  if (!changes(faults_.write_fails)) return nullptr;
  // Directories are journalled in order: a new file of a name implies that the former one is gone.
  std::erase_if(removed_, [&](const Removed& gone) { return gone.path == path; });
  return files_[path] = std::make_shared<SimFile>();
}

bool SimDisk::remove(const std::string& path) {
  if (!changes(faults_.write_fails)) return false;
  const auto it = files_.find(path);
  if (it->second->named && !it->second->doubtful) removed_.push_back({path, it->second->medium});
  files_.erase(it);
  return true;
}

bool SimDisk::changes(double fails) {
  if (operations_left_ && *operations_left_ == 0) return false;
  if (operations_left_) *operations_left_ -= 1;
  if (fails == 0 || random_.unit() >= fails) return true;
  counters_.faults += 1;
  return false;
}

bool SimDisk::read(const SimFile& file) {
  if (file.dead) return false;
  if (good_reads_ > 0) return good_reads_ -= 1, true;
  if (faults_.read_fails == 0 || random_.unit() >= faults_.read_fails) return true;
  counters_.faults += 1;
  good_reads_ = kGoodReads;
  return false;
}

SimDisk::Written SimDisk::write(SimFile& file, std::uint64_t offset, ByteView bytes) {
  if (file.dead || !changes(faults_.write_fails)) return Written::failed;
  const std::uint64_t end = offset + bytes.size();
  if (end > file.content.size() && this->bytes() + end - file.content.size() > faults_.bytes_max) {
    counters_.faults += 1;
    return Written::full;
  }
  counters_.bytes_written += bytes.size();
  file.write(offset, bytes);
  return Written::done;
}

bool SimDisk::truncate(SimFile& file, std::uint64_t size) {
  if (file.dead || !changes(faults_.write_fails)) return false;
  file.truncate(size);
  return true;
}

bool SimDisk::sync(SimFile& file) {
  if (file.dead) return false;
  if (!changes(faults_.sync_fails)) {
    const bool power = !operations_left_ || *operations_left_ > 0;
    if (power) survive(file), file.doubtful = true;  // and the kernel believes that all is well
    return false;
  }
  counters_.syncs += 1;
  if (!file.pending.empty()) file.doubtful = false;
  for (const SimFile::Change& change : file.pending) {
    if (change.bytes.empty()) file.medium.resize(change.offset);
    apply(file.medium, change.offset, change.bytes);
  }
  file.pending.clear();
  file.named = true;
  removed_.clear();  // one journal for all entries of the folder
  return true;
}

// ---- what happens to machines ----

// What reaches the medium of what was not synced: nothing, a beginning that ends in any sector, or
// any sectors at all.
void SimDisk::survive(SimFile& file) {
  const std::vector<SimFile::Change> pending = std::exchange(file.pending, {});
  const std::uint64_t how = random_.below(4);
  if (how == 0) return;
  const double kept = how == 1 ? 1.0 : random_.unit();
  const std::uint64_t whole = how == 2 ? random_.below(pending.size() + 1) : pending.size();
  for (std::size_t i = 0; i < pending.size() && i <= whole; ++i) {
    const SimFile::Change& change = pending[i];
    if (change.bytes.empty()) {
      if (i < whole && random_.unit() < kept) file.medium.resize(change.offset);
      continue;
    }
    const std::uint64_t end = change.offset + change.bytes.size();
    std::uint64_t sectors = end / kSector - change.offset / kSector + 1;
    if (i == whole) sectors = random_.below(sectors + 1);  // the power goes within this write
    std::uint64_t from = change.offset;
    for (; sectors > 0 && from < end; --sectors) {
      const std::uint64_t to = std::min(end, (from / kSector + 1) * kSector);
      if (how != 3 || random_.unit() < kept) {
        apply(file.medium, from, ByteView(change.bytes).subspan(from - change.offset, to - from));
      }
      from = to;
    }
  }
}

// Everybody's handles are void; files go on as fresh objects.
void SimDisk::replace_all() {
  for (auto& [path, file] : files_) {
    auto next = std::make_shared<SimFile>();
    next->content = file->content;
    next->medium = file->medium;
    next->pending = file->pending;
    next->named = file->named;
    next->doubtful = file->doubtful;
    file->dead = true;
    file = std::move(next);
  }
  operations_left_.reset();
}

void SimDisk::kill() {
  replace_all();
}

bool SimDisk::in_doubt() const {
  return std::any_of(files_.begin(), files_.end(),
                     [](const auto& item) { return item.second->doubtful; });
}

void SimDisk::cut_power() {
  if (in_doubt()) return kill();
  std::erase_if(files_, [&](auto& item) {
    SimFile& file = *item.second;
    if (!file.named && random_.below(2) == 0) return file.dead = true;
    survive(file);
    file.content = file.medium;
    file.named = true;
    return false;
  });
  for (Removed& gone : std::exchange(removed_, {})) {
    if (random_.below(2) == 0) continue;
    SimFile& back = *(files_[gone.path] = std::make_shared<SimFile>());
    back.content = back.medium = std::move(gone.medium);
    back.named = true;
  }
  replace_all();
}

SimDisk::Image SimDisk::image() const {
  Image image;
  for (const auto& [path, file] : files_) image[path.substr(prefix_.size())] = file->content;
  return image;
}

void SimDisk::restore(const Image& image) {
  for (const auto& [path, file] : files_) file->dead = true;
  files_.clear();
  removed_.clear();
  operations_left_.reset();
  for (const auto& [name, bytes] : image) {
    SimFile& file = *(files_[path(name)] = std::make_shared<SimFile>());
    file.content = file.medium = bytes;
    file.named = true;
  }
}

}  // namespace dunlin::simulation
