// `dunlin image write` to a real block device: a loop device of the test's own.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/image/command.h"
#include "cli/image/compress.h"
#include "cli/image/disk.h"
#include "cli/image/write.h"
#include "common/base/random.h"
#include "tests/support/loop_device.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace dunlin::image {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class ImageWrite : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "not root, who alone makes loop devices";
    const Layout layout = layout_of({4 * kMiB, 4 * kMiB, 8 * kMiB});
    size_ = layout.size;
    ASSERT_TRUE(make_disk(plain_, layout, {.mbr = false, .seed = "test"}).ok());
    // Something everywhere, so that nothing may be missing.
    Random random(7);
    std::fstream disk(plain_, std::ios::in | std::ios::out | std::ios::binary);
    for (std::uint64_t at = kMiB; at < size_ - kMiB; at += 4096) {
      const std::uint64_t word = random.next();
      disk.seekp(static_cast<std::streamoff>(at));
      disk.write(reinterpret_cast<const char*>(&word), sizeof word);
    }
    disk.close();
    const Result<void> compressed = compress(plain_, image_);
    ASSERT_TRUE(compressed.ok()) << compressed.error().message();
  }
  int write(std::vector<std::string> args) {
    args.insert(args.begin(), {"image", "write"});
    return test::run_program({.program = test::built_program("dunlin"),
                              .args = std::move(args),
                              .env = {},
                              .output_file = said_})
        .value_or(-1);
  }
  static std::string content(const std::string& file, std::uint64_t size) {
    std::string text(size, '\0');
    std::ifstream(file, std::ios::binary).read(text.data(), static_cast<std::streamsize>(size));
    return text;
  }
  std::string said() const { return content(said_, std::filesystem::file_size(said_)); }

  test::TempDir folder_;
  const std::string plain_ = folder_.file("disk.img");
  const std::string image_ = folder_.file("device.img.zst");
  const std::string said_ = folder_.file("said");
  std::uint64_t size_ = 0;
};

TEST_F(ImageWrite, EveryByteIsOnTheDisk) {
  const test::LoopDevice card(folder_.file("card"), 3 * size_);
  ASSERT_TRUE(card.there());
  ASSERT_EQ(write({image_, card.path(), "--yes"}), 0) << said();
  EXPECT_NE(said().find(card.path() + ":"), std::string::npos) << said();
  EXPECT_TRUE(content(card.file(), size_) == content(plain_, size_));
}

TEST_F(ImageWrite, ExpandedItReachesToTheEnd) {
  const test::LoopDevice card(folder_.file("card"), 100 * kMiB);
  ASSERT_TRUE(card.there());
  ASSERT_EQ(write({image_, card.path(), "--yes", "--expand"}), 0) << said();
  const auto before = read_layout(plain_), after = read_layout(card.path());
  ASSERT_TRUE(before.ok() && after.ok()) << after.error().message();
  for (const Layout::Partition same : {Layout::boot, Layout::root_a, Layout::root_b}) {
    EXPECT_EQ(after->partitions[same].offset, before->partitions[same].offset);
    EXPECT_EQ(after->partitions[same].size, before->partitions[same].size);
  }
  EXPECT_EQ(after->partitions[Layout::data].offset, before->partitions[Layout::data].offset);
  const Extent& data = after->partitions[Layout::data];
  EXPECT_GT(data.offset + data.size, 98 * kMiB);
  const auto verified = run({{"sfdisk", "--verify", card.path()}});
  EXPECT_TRUE(verified.ok()) << verified.error().message();
}

TEST_F(ImageWrite, NothingIsOverwrittenWithoutAYes) {
  const test::LoopDevice card(folder_.file("card"), 2 * size_);
  ASSERT_TRUE(card.there());
  EXPECT_EQ(write({image_, card.path()}), 2);
  EXPECT_NE(said().find("--yes"), std::string::npos) << said();
  // On a terminal it asks for the name of the disk.
  const auto answer = [&](const std::string& typed) {
    const std::string command =
        test::built_program("dunlin") + " image write " + image_ + " " + card.path();
    return run({.argv = {"script", "--quiet", "--return", "--command", command, "/dev/null"},
                .stdin_text = typed + "\n"});
  };
  EXPECT_FALSE(answer("y").ok());
  const std::string untouched(size_, '\0');
  EXPECT_TRUE(content(card.file(), size_) == untouched);
  const auto written = answer(card.path().substr(5));
  EXPECT_TRUE(written.ok()) << written.error().message();
  EXPECT_TRUE(content(card.file(), size_) == content(plain_, size_));
}

TEST_F(ImageWrite, DisksThatItMustNotTouchStayAsTheyAre) {
  const auto refused = [&](const std::string& device) {
    const auto writing = Writing::prepare(image_, device);
    return writing.ok() ? std::string("taken") : writing.error().message();
  };
  const test::LoopDevice small(folder_.file("small"), size_ - 4096);
  const test::LoopDevice fixed(folder_.file("fixed"), 2 * size_, {"--read-only"});
  const test::LoopDevice used(folder_.file("used"), 2 * size_);
  ASSERT_TRUE(small.there() && fixed.there() && used.there());
  EXPECT_NE(refused(small.path()).find("too_large"), std::string::npos) << refused(small.path());
  EXPECT_NE(refused(fixed.path()).find("read-only"), std::string::npos) << refused(fixed.path());
  EXPECT_NE(refused(plain_).find("is no disk"), std::string::npos) << refused(plain_);
  // Free when it was looked at, mounted when it is to be written.
  const auto writing = Writing::prepare(image_, used.path());
  ASSERT_TRUE(writing.ok()) << writing.error().message();
  ASSERT_TRUE(run({{"mke2fs", "-q", "-t", "ext4", used.path()}}).ok());
  const std::string point = folder_.file("mounted");
  std::filesystem::create_directory(point);
  ASSERT_EQ(::mount(used.path().c_str(), point.c_str(), "ext4", MS_RDONLY, nullptr), 0);
  EXPECT_NE(refused(used.path()).find("is mounted on " + point), std::string::npos)
      << refused(used.path());
  const Result<void> written = writing->write([](std::string_view, std::uint64_t) {});
  EXPECT_EQ(::umount(point.c_str()), 0);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Errc::invalid_argument) << written.error().message();
}

// As a worn-out or counterfeit card does.
TEST_F(ImageWrite, ADiskThatForgetsIsFoundOut) {
  const test::LoopDevice card(folder_.file("card"), 2 * size_);
  ASSERT_TRUE(card.there());
  const auto writing = Writing::prepare(image_, card.path());
  ASSERT_TRUE(writing.ok()) << writing.error().message();
  const std::uint64_t place = 9 * kMiB;
  const Result<void> written = writing->write([&](std::string_view, std::uint64_t done) {
    if (done < size_) return;
    std::fstream file(card.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(place + 5));
    file.put('\1');
  });
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Errc::corrupt);
  EXPECT_NE(written.error().context.find("byte " + std::to_string(place + 5)), std::string::npos)
      << written.error().message();
}

}  // namespace
}  // namespace dunlin::image
