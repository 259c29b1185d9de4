// The root slot that is in use, and the other one, which can be tried once.
#include <nlohmann/json.hpp>

#include <fstream>

#include "cli/image/command.h"
#include "cli/image/files.h"
#include "tests/firmware/firmware.h"

namespace dunlin::test {
namespace {

namespace fs = std::filesystem;

class Slots : public Firmware {
 protected:
  void SetUp() override {
    begin("qemu-arm64");
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(build_image({"--bundle", bundle("device")}));
    fs::copy_file(image(), machine_->disk());
    layout_ = image::read_layout(machine_->disk()).value();
    // What slot a holds, in b as well; both tell their arguments on the console.
    const std::string a = folder_.file("a"), b = folder_.file("b");
    DUNLIN_ASSERT_OK(mtool({"mcopy", "-s"}, {"::a", a}));
    fs::copy(a, b, fs::copy_options::recursive);
    for (const char* slot : {"a", "b"}) {
      std::string text = text_of(folder_.file(slot) + "/arguments.env");
      text.erase(text.find("quiet loglevel=4 "), 17);
      text[text.find("dunlin.slot=") + 12] = *slot;
      DUNLIN_ASSERT_OK(image::write_file(folder_.file(slot) + "/arguments.env", text));
      DUNLIN_ASSERT_OK(mtool({"mcopy", "-s", "-o"}, {folder_.file(slot), "::"}));
    }
    set_root_b(read_root_a());
    DUNLIN_ASSERT_OK(mtool({"mcopy", "-o"}, {folder_.write("slot.env", "slot=a\ntry=b\n"), "::"}));
  }

  // A command on the boot slot.
  Result<std::string> mtool(std::vector<std::string> command, std::vector<std::string> files) {
    const image::Extent boot = layout_.partitions[image::Layout::boot];
    command.insert(command.end(), {"-i", machine_->disk() + "@@" + std::to_string(boot.offset)});
    command.insert(command.end(), files.begin(), files.end());
    return image::run({command});
  }
  std::string read_root_a() const {
    const image::Extent root = layout_.partitions[image::Layout::root_a];
    std::string content(root.size, '\0');
    std::ifstream in(machine_->disk(), std::ios::binary);
    in.seekg(static_cast<std::streamoff>(root.offset));
    in.read(content.data(), static_cast<std::streamsize>(root.size));
    return content;
  }
  void set_root_b(const std::string& content) {
    const image::Extent root = layout_.partitions[image::Layout::root_b];
    std::fstream disk(machine_->disk(), std::ios::binary | std::ios::in | std::ios::out);
    disk.seekp(static_cast<std::streamoff>(root.offset));
    disk << content;
  }
  // The slots of all kernels that started, one after the other.
  std::string booted() const {
    const std::string text = machine_->console(), mark = "dunlin.slot=";
    std::string slots;
    for (std::size_t at = 0; (at = text.find("Kernel command line: ", at)) != std::string::npos;) {
      at = text.find(mark, at);
      if (at == std::string::npos) break;
      slots += text[at + mark.size()];
    }
    return slots;
  }
  bool goes_on() {
    const std::int64_t before = device().is_null() ? 0 : readings();
    return eventually([&] { return has_readings(before + 60); }, kBoot);
  }

  image::Layout layout_;
};

TEST_F(Slots, TheOtherOneIsTriedOnce) {
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on()) << explain();
  EXPECT_EQ(booted(), "b");
  machine_->cut_power();
  EXPECT_TRUE(mtool({"mtype"}, {"::slot.env"}).value().starts_with("slot=a\ntry=none\n"));
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on()) << explain();
  EXPECT_EQ(booted(), "ba");
  EXPECT_EQ(epochs(), 1);
}

TEST_F(Slots, OneWithoutARootGivesWay) {
  set_root_b(std::string(1 << 20, 'x'));
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on()) << explain();
  EXPECT_EQ(booted(), "ba");
}

TEST_F(Slots, OneWithoutAKernelGivesWay) {
  DUNLIN_ASSERT_OK(mtool({"mdel"}, {"::b/kernel"}));
  DUNLIN_ASSERT_OK(machine_->start());
  ASSERT_TRUE(goes_on()) << explain();
  EXPECT_EQ(booted(), "a");
}

}  // namespace
}  // namespace dunlin::test
