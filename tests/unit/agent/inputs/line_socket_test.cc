#include "agent/inputs/line_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "common/base/stop_event.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_sink.h"
#include "tests/support/temp_dir.h"

namespace dunlin::agent {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class LineSocketTest : public ::testing::Test {
 protected:
  std::unique_ptr<Input> input(const std::string& keys = "") {
    auto made = test::make_input("type = \"line_protocol\"\nsocket = \"" + path_ + "\"\n" + keys);
    EXPECT_THAT(made.mistakes, IsEmpty());
    return std::move(made.input);
  }
  FileDescriptor new_socket(sockaddr_un& address) {
    address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    return FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
  FileDescriptor client() {
    sockaddr_un address;
    FileDescriptor socket = new_socket(address);
    EXPECT_TRUE(test::eventually([&] {
      return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
             0;
    }));
    return socket;
  }
  static void send(const FileDescriptor& socket, std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
      ASSERT_GT(n, 0);
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  test::TempDir dir_;
  std::string path_ = dir_.file("in.sock");
  test::FakeSink sink_;
};

TEST_F(LineSocketTest, ManyClients) {
  test::InputRun run(sink_, input("precision = \"s\"\n"));
  const FileDescriptor a = client(), b = client();
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660u);
  send(a, "a x=1 1\na x=2 ");
  send(b, "b y=1i 1\nbroken\nb y=2i 2\n");
  send(a, "2\n");
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 4 && sink_.reports().size() == 1; }));
  EXPECT_THAT(sink_.lines(), UnorderedElementsAre("a 1000000 x=1", "a 2000000 x=2", "b 1000000 y=1",
                                                  "b 2000000 y=2"));
  EXPECT_TRUE(run.stop().ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(LineSocketTest, ALastLineWithoutAnEndCounts) {
  test::InputRun run(sink_, input());
  { send(client(), "a x=1 1000"); }
  EXPECT_TRUE(test::eventually([&] { return sink_.rows() == 1; }));
  EXPECT_TRUE(run.stop().ok());
}

TEST_F(LineSocketTest, OverLongLinesAreReported) {
  test::InputRun run(sink_, input());
  const FileDescriptor a = client();
  send(a, "a x=\"" + std::string(200'000, 'x') + "\"\na x=1\n");
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 1; }));
  EXPECT_TRUE(run.stop().ok());
  ASSERT_EQ(sink_.reports().size(), 1u);
  EXPECT_EQ(sink_.reports()[0].error.code, Errc::too_large);
}

TEST_F(LineSocketTest, TooManyClientsAreTurnedAway) {
  test::InputRun run(sink_, input("clients = 1\n"));
  const FileDescriptor a = client();
  send(a, "a x=1\n");
  ASSERT_TRUE(test::eventually([&] { return sink_.rows() == 1; }));
  const FileDescriptor b = client();
  char byte = 0;
  EXPECT_EQ(::recv(b.get(), &byte, 1, 0), 0);
  EXPECT_TRUE(run.stop().ok());
  EXPECT_EQ(sink_.reports().size(), 1u);
}

TEST_F(LineSocketTest, OnlyADeadSocketIsReplaced) {
  {
    sockaddr_un address;
    const FileDescriptor dead = new_socket(address);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  test::InputRun first(sink_, input());
  const FileDescriptor a = client();
  EXPECT_EQ(test::InputRun(sink_, input()).wait().error().code, Errc::exists);
  EXPECT_TRUE(first.stop().ok());
  dir_.write("in.sock", "precious");
  EXPECT_EQ(test::InputRun(sink_, input()).wait().error().code, Errc::exists);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(LineSocketTest, ThePathIsChecked) {
  EXPECT_EQ(test::make_input("type = \"line_protocol\"\n").mistakes.size(), 1u);
  EXPECT_EQ(
      test::make_input("type = \"line_protocol\"\nsocket = \"/" + std::string(200, 'x') + "\"\n")
          .mistakes.size(),
      1u);
}

}  // namespace
}  // namespace dunlin::agent
