#include "tests/simulation/disk/sqlite_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "common/base/check.h"
#include "tests/simulation/disk/sim_disk.h"

namespace dunlin::simulation {

namespace {

// An open file. Without a disk it is a temporary one that nobody else sees.
struct Handle {
  sqlite3_file base;
  SimDisk* disk;
  std::shared_ptr<SimFile> file;
  std::string delete_on_close;
  int lock;
  bool in_shm;
};

Handle& handle(sqlite3_file* file) {
  return *reinterpret_cast<Handle*>(file);
}

int close(sqlite3_file* base) {
  Handle& h = handle(base);
  if (!h.delete_on_close.empty() && !h.file->dead) (void)h.disk->remove(h.delete_on_close);
  h.~Handle();
  return SQLITE_OK;
}

int read(sqlite3_file* base, void* out, int amount, sqlite3_int64 offset) {
  Handle& h = handle(base);
  if (h.disk != nullptr && !h.disk->read(*h.file)) return SQLITE_IOERR_READ;
  const Bytes& content = h.file->content;
  const auto from = std::min(static_cast<std::size_t>(offset), content.size());
  const auto size = static_cast<std::size_t>(amount);
  const std::size_t there = std::min(size, content.size() - from);
  if (there != 0) std::memcpy(out, content.data() + from, there);  // null while it is empty
  if (there == size) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + there, 0, size - there);
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* base, const void* bytes, int amount, sqlite3_int64 offset) {
  Handle& h = handle(base);
  const ByteView view(static_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(amount));
  const auto at = static_cast<std::uint64_t>(offset);
  if (h.disk == nullptr) {
    h.file->write(at, view);
    h.file->pending.clear();
    return SQLITE_OK;
  }
  switch (h.disk->write(*h.file, at, view)) {
    case SimDisk::Written::done:
      return SQLITE_OK;
    case SimDisk::Written::full:
      return SQLITE_FULL;
    case SimDisk::Written::failed:
      break;
  }
  return SQLITE_IOERR_WRITE;
}

int truncate(sqlite3_file* base, sqlite3_int64 size) {
  Handle& h = handle(base);
  const auto to = static_cast<std::uint64_t>(size);
  if (h.disk == nullptr) return h.file->truncate(to), SQLITE_OK;
  return h.disk->truncate(*h.file, to) ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

int sync(sqlite3_file* base, int) {
  Handle& h = handle(base);
  return h.disk == nullptr || h.disk->sync(*h.file) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

int file_size(sqlite3_file* base, sqlite3_int64* size) {
  Handle& h = handle(base);
  if (h.file->dead) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(h.file->content.size());
  return SQLITE_OK;
}

// ---- locks: who would wait is told BUSY ----

int unlock(sqlite3_file* base, int level) {
  Handle& h = handle(base);
  SimFile& file = *h.file;
  if (file.reserved == &h) file.reserved = nullptr;
  if (file.pending_lock == &h) file.pending_lock = nullptr;
  if (file.exclusive == &h) file.exclusive = nullptr;
  if (h.lock > SQLITE_LOCK_NONE && level == SQLITE_LOCK_NONE) file.shared -= 1;
  h.lock = std::min(h.lock, level);
  return SQLITE_OK;
}

int lock(sqlite3_file* base, int level) {
  Handle& h = handle(base);
  SimFile& file = *h.file;
  if (h.lock >= level) return SQLITE_OK;
  const auto taken = [&](const void* by) { return by != nullptr && by != &h; };
  if (level == SQLITE_LOCK_SHARED) {
    if (taken(file.exclusive) || taken(file.pending_lock)) return SQLITE_BUSY;
    file.shared += 1;
  } else if (level == SQLITE_LOCK_RESERVED) {
    if (taken(file.reserved)) return SQLITE_BUSY;
    file.reserved = &h;
  } else {
    if (taken(file.reserved) || taken(file.pending_lock)) return SQLITE_BUSY;
    file.pending_lock = &h;
    h.lock = SQLITE_LOCK_PENDING;
    if (file.shared > 1) return SQLITE_BUSY;
    file.exclusive = &h;
  }
  h.lock = level;
  return SQLITE_OK;
}

int check_reserved_lock(sqlite3_file* base, int* held) {
  const SimFile& file = *handle(base).file;
  *held = file.reserved != nullptr || file.pending_lock != nullptr || file.exclusive != nullptr;
  return SQLITE_OK;
}

int file_control(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}
int sector_size(sqlite3_file*) {
  return 4096;
}
int characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;  // as SQLite assumes of every Unix disk
}

// ---- the WAL's index ----

int shm_map(sqlite3_file* base, int region, int size, int extend, void volatile** out) {
  Handle& h = handle(base);
  if (h.file->dead) return SQLITE_IOERR_SHMMAP;
  SimFile::Shm& shm = h.file->shm;
  if (!h.in_shm) shm.handles += 1, h.in_shm = true;
  const auto index = static_cast<std::size_t>(region);
  *out = nullptr;
  if (shm.regions.size() <= index && extend == 0) return SQLITE_OK;
  while (shm.regions.size() <= index) {
    shm.regions.push_back(std::make_unique<std::uint8_t[]>(static_cast<std::size_t>(size)));
  }
  *out = shm.regions[index].get();
  return SQLITE_OK;
}

int shm_lock(sqlite3_file* base, int offset, int count, int flags) {
  Handle& h = handle(base);
  SimFile::Shm& shm = h.file->shm;
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  for (int i = offset; i < offset + count && (flags & SQLITE_SHM_LOCK) != 0; ++i) {
    const void* owner = shm.exclusive[i];
    if (owner != nullptr && owner != &h) return SQLITE_BUSY;
    if (exclusive && shm.shared[i] > 0) return SQLITE_BUSY;
  }
  for (int i = offset; i < offset + count; ++i) {
    const bool locks = (flags & SQLITE_SHM_LOCK) != 0;
    if (exclusive) {
      if (locks || shm.exclusive[i] == &h) shm.exclusive[i] = locks ? &h : nullptr;
    } else {
      shm.shared[i] += locks ? 1 : -1;
    }
  }
  return SQLITE_OK;
}

void shm_barrier(sqlite3_file*) {}

int shm_unmap(sqlite3_file* base, int) {
  Handle& h = handle(base);
  SimFile::Shm& shm = h.file->shm;
  if (h.in_shm && --shm.handles == 0) shm = {};
  h.in_shm = false;
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods{
    .iVersion = 2,
    .xClose = close,
    .xRead = read,
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = check_reserved_lock,
    .xFileControl = file_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

// ---- the file system ----

int open(sqlite3_vfs*, const char* name, sqlite3_file* base, int flags, int* flags_out) {
  auto& h = *new (static_cast<void*>(base)) Handle{};  // sqlite3_file comes uninitialised
  SimDisk* disk = name == nullptr ? nullptr : SimDisk::of_path(name);
  std::shared_ptr<SimFile> file;
  if (name == nullptr) {
    file = std::make_shared<SimFile>();
  } else if (disk != nullptr) {
    file = disk->find(name);
    if (!file && (flags & SQLITE_OPEN_CREATE) != 0) file = disk->create(name);
  }
  if (!file) {
    h.~Handle();
    base->pMethods = nullptr;  // nothing to close
    return SQLITE_CANTOPEN;
  }
  h.base.pMethods = &kMethods;
  h.disk = disk;
  h.file = std::move(file);
  if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0 && disk != nullptr) h.delete_on_close = name;
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int remove(sqlite3_vfs*, const char* name, int) {
  SimDisk* disk = SimDisk::of_path(name);
  if (disk == nullptr || !disk->find(name)) return SQLITE_IOERR_DELETE_NOENT;
  return disk->remove(name) ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

int access(sqlite3_vfs*, const char* name, int, int* there) {
  const SimDisk* disk = SimDisk::of_path(name);
  *there = disk != nullptr && disk->find(name) != nullptr;
  return SQLITE_OK;
}

int full_pathname(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs*, int size, char* out) {
  std::memset(out, 0x5a, static_cast<std::size_t>(size));
  return size;
}

int sleep(sqlite3_vfs*, int micros) {
  return micros;  // nobody else will let go meanwhile
}

int current_time(sqlite3_vfs*, sqlite3_int64* millis) {
  constexpr sqlite3_int64 kJune2025 = 2'460'827LL * 86'400'000;
  *millis = kJune2025;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs*, int, char*) {
  return 0;
}

}  // namespace

void register_sqlite_vfs() {
  static sqlite3_vfs vfs{};
  if (vfs.zName != nullptr) return;
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(Handle);
  vfs.mxPathname = 512;
  vfs.zName = "simulated";
  vfs.xOpen = open;
  vfs.xDelete = remove;
  vfs.xAccess = access;
  vfs.xFullPathname = full_pathname;
  vfs.xRandomness = randomness;
  vfs.xSleep = sleep;
  vfs.xCurrentTimeInt64 = current_time;
  vfs.xGetLastError = last_error;
  DUNLIN_CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

void restart_sqlite_randomness() {
  register_sqlite_vfs();
  sqlite3_randomness(0, nullptr);
}

}  // namespace dunlin::simulation
