// What opening does with files that are not as a clean stop left them; salvage_test.cc has the
// damaged ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "common/storage/schema.h"
#include "tests/unit/common/storage/fleet_fixture.h"

namespace dunlin::storage {
namespace {

namespace fs = std::filesystem;

class OpenTest : public test::FleetTest {
 protected:
  OpenTest() : origin_(*store_, 1) {
    origin_.append({test::integers(1, {{kStart, {1}}})});
    origin_.flush();
  }

  void close() { store_.reset(); }
  static std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void overwrite(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  Result<LogStore> open(std::optional<LogStore::Salvage>* salvage = nullptr) {
    return LogStore::open({.path = path_, .fresh_epoch = Epoch{99}}, own_key_->node(), *verifier_,
                          salvage);
  }
  Errc refusal(std::optional<LogStore::Salvage>* salvage = nullptr) {
    const auto store = open(salvage);
    EXPECT_FALSE(store.ok());
    return store.ok() ? Errc::io : store.error().code;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  std::uint64_t held_in(LogStore& store) const {
    std::uint64_t entries = 0;
    const auto contents = store.load();
    for (const LogState& state : contents->logs) entries += state.held().count();
    return entries;
  }

  test::Origin origin_;
};

TEST_F(OpenTest, AFileOfANewerSchemaStaysAsItIs) {
  tamper("PRAGMA user_version = " + std::to_string(schema_steps().size() + 1));
  close();
  const std::string before = bytes_of(path_);
  std::optional<LogStore::Salvage> salvage;
  EXPECT_EQ(refusal(&salvage), Errc::unsupported);
  EXPECT_FALSE(salvage);
  EXPECT_TRUE(bytes_of(path_) == before);
}

TEST_F(OpenTest, AFileOfAnOlderSchemaKeepsItsLogs) {
  const std::uint64_t held = held_in(*store_);
  ASSERT_GT(held, 0u);
  tamper(
      "DROP TABLE sightings; DROP TABLE quarantine; DROP TABLE revocations; ALTER TABLE nodes DROP "
      "COLUMN certificate");
  tamper("PRAGMA user_version = 2");
  close();
  Result<LogStore> store = open();
  ASSERT_TRUE(store.ok()) << store.error().message();
  EXPECT_EQ(held_in(*store), held);
  const auto contents = store->load();
  ASSERT_TRUE(contents.ok()) << contents.error().message();
  for (const KnownNode& node : contents->nodes) EXPECT_TRUE(node.certificate.empty());
}

// For a flash: what is in place already costs no notes of the file system.
TEST_F(OpenTest, AWalInPlaceKeepsItsSize) {
  constexpr std::uintmax_t kWal = 64 * 1024;
  const std::string path = folder_.file("in-place.db");
  const auto open_it = [&](const std::string& at) {
    return LogStore::open({.path = at,
                           .fresh_epoch = Epoch{99},
                           .page_bytes = 1024,
                           .wal_bytes_max = kWal,
                           .wal_in_place = true},
                          own_key_->node(), *verifier_, nullptr);
  };
  auto store = open_it(path);
  ASSERT_TRUE(store.ok()) << store.error().message();
  EXPECT_EQ(fs::file_size(path + "-wal"), kWal);
  test::Origin origin(*store, 1);
  for (int n = 0; n < 100; ++n) {  // the WAL is moved into the file several times
    origin.append({test::integers(1, {{kStart + n, {n}}})});
    origin.flush();
    ASSERT_EQ(fs::file_size(path + "-wal"), kWal) << n;
  }
  EXPECT_GT(fs::file_size(path), 10 * 1024u);
  // As a power failure leaves it: the last commits are in the WAL alone, zeros behind them.
  const std::string copy = folder_.file("copy.db");
  for (const char* suffix : {"", "-wal"}) fs::copy_file(path + suffix, copy + suffix);
  auto again = open_it(copy);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(held_in(*again), held_in(*store));
  EXPECT_EQ(fs::file_size(copy + "-wal"), kWal);
  store = Error{Errc::closed, ""};
  EXPECT_FALSE(fs::exists(path + "-wal"));
}

TEST_F(OpenTest, AFileOfAnotherProgramStaysAsItIs) {
  tamper("PRAGMA application_id = 4711");
  close();
  const std::string before = bytes_of(path_);
  std::optional<LogStore::Salvage> salvage;
  EXPECT_EQ(refusal(&salvage), Errc::invalid_argument);
  EXPECT_FALSE(salvage);
  EXPECT_TRUE(bytes_of(path_) == before);
}

TEST_F(OpenTest, ADamagedFileIsLeftToTheStartThatSalvages) {
  close();
  std::string damaged = bytes_of(path_);
  std::fill(damaged.begin(), damaged.begin() + 100, '\x5a');
  overwrite(damaged);
  EXPECT_EQ(refusal(), Errc::corrupt);
  EXPECT_TRUE(bytes_of(path_) == damaged);
  for (const std::string& name : files()) EXPECT_TRUE(name.find("damaged") == name.npos) << name;
  // That start is not hindered by the one before.
  std::optional<LogStore::Salvage> salvage;
  auto store = open(&salvage);
  ASSERT_TRUE(store.ok()) << store.error().message();
  ASSERT_TRUE(salvage);
  EXPECT_TRUE(bytes_of(salvage->set_aside) == damaged);
  EXPECT_EQ(held_in(*store), 2u);
}

// Cut off where the database, its -wal and its -shm are set aside one after the other.
TEST_F(OpenTest, GoesOnAfterEachRenameOfSettingAside) {
  close();
  const std::string good = bytes_of(path_);
  for (int renamed = 0; renamed <= 4; ++renamed) {
    SCOPED_TRACE(renamed);
    for (const std::string& name : files()) fs::remove(folder_.file(name));
    std::ofstream(path_ + ".salvaged", std::ios::binary) << good;
    const std::string aside = path_ + ".damaged-20260101T000000Z";
    const char* const order[] = {"-wal", "-shm", ""};
    for (int i = 0; i < 3; ++i) {
      std::ofstream((i < renamed ? aside : path_) + order[i], std::ios::binary)
          << "damaged" << order[i];
    }
    if (renamed == 4) fs::rename(path_ + ".salvaged", path_);
    std::optional<LogStore::Salvage> salvage;
    auto store = open(&salvage);
    ASSERT_TRUE(store.ok()) << store.error().message();
    EXPECT_EQ(held_in(*store), 2u);
    EXPECT_EQ(store->load()->epoch, Epoch{1});
    EXPECT_EQ(salvage.has_value(), renamed < 4);
    EXPECT_FALSE(fs::exists(path_ + ".salvaged"));
    // Every damaged byte is still somewhere.
    std::multiset<std::string> kept;
    for (const std::string& name : files()) {
      if (name.find("damaged") != name.npos) kept.insert(bytes_of(folder_.file(name)));
    }
    EXPECT_EQ(kept, (std::multiset<std::string>{"damaged", "damaged-shm", "damaged-wal"}));
  }
}

// What a file holds is a node's own only under that node's key, as when the key was lost.
TEST_F(OpenTest, AnotherKeyFindsNothingOfItsOwn) {
  origin_.define(1, 1, {"numbers", {{"n", FieldType::int64, "", 0}}});
  close();
  const auto other = security::NodeKey::generate().value();
  for (const NodeId& node : {origin_.log().node, other->node()}) {
    const bool same = node == origin_.log().node;
    std::optional<LogStore::Salvage> salvage;
    auto store =
        LogStore::open({.path = path_, .fresh_epoch = Epoch{99}}, node, *verifier_, &salvage);
    ASSERT_TRUE(store.ok()) << store.error().message();
    EXPECT_FALSE(salvage);
    EXPECT_EQ(held_in(*store), 3u);
    const auto contents = store->load().value();
    EXPECT_EQ(contents.own_streams.size(), same ? 1u : 0u);
    EXPECT_EQ(contents.own_hlc > Hlc{}, same);
    EXPECT_EQ(contents.nodes.size(), 1u);
  }
}

TEST_F(OpenTest, AnUnwritableFolderIsAnIoError) {
  const auto store = LogStore::open({.path = folder_.file("missing/log.db")}, own_key_->node(),
                                    *verifier_, nullptr);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Errc::io);
}

TEST_F(OpenTest, AVectorThatDoesNotReadBackIsDamage) {
  tamper("UPDATE logs SET state = x'ff'");
  close();
  EXPECT_EQ(refusal(), Errc::corrupt);
  std::optional<LogStore::Salvage> salvage;
  auto store = open(&salvage);
  ASSERT_TRUE(store.ok()) << store.error().message();
  EXPECT_EQ(held_in(*store), 2u);  // made anew from the segments
  EXPECT_EQ(store->load()->epoch, Epoch{99});
}

}  // namespace
}  // namespace dunlin::storage
