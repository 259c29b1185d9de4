#include "common/storage/forget.h"

#include <gtest/gtest.h>

#include <fstream>

#include "common/security/keys.h"
#include "common/storage/log_store.h"
#include "tests/support/segment_maker.h"
#include "tests/support/temp_dir.h"

namespace dunlin::storage {
namespace {

class ForgetTest : public testing::Test {
 protected:
  ForgetTest() : verifier_(security::make_mbedtls_verifier()) {}

  LogStore open() {
    return LogStore::open({.path = path_, .fresh_epoch = Epoch{7}}, own_->node(), *verifier_,
                          nullptr)
        .value();
  }
  void store(const std::vector<SegmentRecord>& segments) {
    LogStore store = open();
    for (const WriteOutcome& outcome : store.commit({.segments = segments}).value())
      EXPECT_EQ(outcome.kind, WriteOutcome::Kind::stored);
  }
  std::size_t forget_node(const NodeId& node) {
    return forget_logs(path_, [&](const LogId& log, const KnownNode&) { return log.node == node; })
        .value();
  }

  const test::TempDir folder_;
  const std::string path_ = folder_.file("log.db");
  const std::unique_ptr<security::NodeKey> own_ = security::NodeKey::generate().value();
  std::unique_ptr<Verifier> verifier_;
};

TEST_F(ForgetTest, NothingIsLeftAndItMayComeAgain) {
  test::SegmentMaker pump, pond;
  const std::vector<SegmentRecord> said{pump.open("pump"), pump.define(1), pump.samples(3)};
  store(said);
  store({pond.open("pond"), pond.define(1), pond.samples(2)});
  const std::string name = "pump";
  EXPECT_EQ(forget_logs(path_,
                        [&](const LogId& log, const KnownNode& node) {
                          EXPECT_EQ(node.name, log.node == pump.node() ? "pump" : "pond");
                          return node.name == name;
                        })
                .value(),
            2u);
  {
    LogStore store = open();
    const auto contents = store.load().value();
    EXPECT_EQ(store.logs_of(pump.node()).size(), 0u);
    ASSERT_EQ(contents.nodes.size(), 1u);
    EXPECT_EQ(contents.nodes[0].node, pond.node());
    EXPECT_EQ(store.state(pond.log())->head(), 2u);
  }
  auto db = Connection::open(path_, SQLITE_OPEN_READONLY).value();
  for (const char* left :
       {"SELECT count(*) FROM segments WHERE log NOT IN (SELECT id FROM logs)",
        "SELECT count(*) FROM streams WHERE node NOT IN (SELECT node FROM logs)"})
    EXPECT_EQ(db.query_integer(left).value(), 0) << left;
  EXPECT_EQ(db.query_integer("SELECT count(*) FROM streams").value(), 1);
  store(said);
  EXPECT_EQ(forget_node(pond.node()), 2u);
  EXPECT_EQ(forget_node(pond.node()), 0u);
}

// One log of a node leaves what is known of the others.
TEST_F(ForgetTest, TheRestOfANodeStays) {
  test::SegmentMaker pump;
  store({pump.open("pump"), pump.define(1), pump.samples(3)});
  EXPECT_EQ(
      forget_logs(path_, [&](const LogId& log, const KnownNode&) { return log == pump.log(); })
          .value(),
      1u);
  LogStore store = open();
  EXPECT_EQ(store.load().value().nodes.size(), 1u);
  EXPECT_EQ(store.logs_of(pump.node()).size(), 1u);
}

TEST_F(ForgetTest, WhatIsNoLogIsLeftAlone) {
  EXPECT_EQ(forget_node(own_->node()), 0u);
  EXPECT_FALSE(std::ifstream(path_).good()) << "nor made";
  std::ofstream(path_) << "no database, and longer than the header of one: "
                       << std::string(200, 'x');
  EXPECT_EQ(forget_node(own_->node()), 0u);
  EXPECT_TRUE(std::ifstream(path_).good());
}

}  // namespace
}  // namespace dunlin::storage
