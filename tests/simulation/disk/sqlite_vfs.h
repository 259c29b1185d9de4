#pragma once

namespace dunlin::simulation {

// Makes the files of every SimDisk what SQLite opens in this process, for all who name no other
// VFS. Repeated calls change nothing. WAL's shared memory lies in the process.
void register_sqlite_vfs();

// SQLite draws the salts of its WALs from one generator, which starts anew: a run's files are the
// same whatever ran in the process before it.
void restart_sqlite_randomness();

}  // namespace dunlin::simulation
