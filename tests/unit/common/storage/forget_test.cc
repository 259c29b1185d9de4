#include "common/storage/forget.h"

#include <gtest/gtest.h>

#include <fstream>

#include "common/security/keys.h"
#include "common/storage/log_store.h"
#include "tests/support/segment_maker.h"
#include "tests/support/temp_dir.h"

namespace dunlin::storage {
namespace {

using Unwanted = std::function<bool(const LogId&, const KnownNode&)>;

Unwanted all_of(const NodeId& node) {
  return [node](const LogId& log, const KnownNode&) { return log.node == node; };
}

class ForgetTest : public testing::Test {
 protected:
  ForgetTest() : verifier_(security::make_mbedtls_verifier()) {}

  LogStore open() {
    return LogStore::open({.path = path_, .fresh_epoch = Epoch{7}}, own_->node(), *verifier_,
                          nullptr)
        .value();
  }
  // What came by the node's former interest.
  void store(const std::vector<SegmentRecord>& segments) {
    LogStore store = open();
    EXPECT_TRUE(note_interest(path_, own_->node(), "former").ok());
    const auto outcomes = store.commit({.segments = segments}).value();
    for (const WriteOutcome& outcome : outcomes)
      EXPECT_EQ(outcome.kind, WriteOutcome::Kind::stored);
  }
  std::size_t forget(const Unwanted& unwanted) {
    return forget_logs(path_, own_->node(), "present", unwanted).value();
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
  EXPECT_EQ(forget([&](const LogId& log, const KnownNode& node) {
              EXPECT_EQ(node.name, log.node == pump.node() ? "pump" : "pond");
              return node.name == "pump";
            }),
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
  EXPECT_EQ(forget(all_of(pond.node())), 2u);
  EXPECT_EQ(forget(all_of(pond.node())), 0u);
}

// One log of a node leaves what is known of the others.
TEST_F(ForgetTest, TheRestOfANodeStays) {
  test::SegmentMaker pump;
  store({pump.open("pump"), pump.define(1), pump.samples(3)});
  EXPECT_EQ(forget([&](const LogId& log, const KnownNode&) { return log == pump.log(); }), 1u);
  LogStore store = open();
  EXPECT_EQ(store.load().value().nodes.size(), 1u);
  EXPECT_EQ(store.logs_of(pump.node()).size(), 1u);
}

// Another program's file, or one of another key: what is in it may be all that there is.
TEST_F(ForgetTest, OnlyWhatAnInterestBroughtMayGo) {
  test::SegmentMaker pump, pond;
  (void)open().commit({.segments = {pump.open("pump"), pump.define(1), pump.samples(3)}});
  const auto forgotten = [&](const NodeId& node) { return forget(all_of(node)); };
  EXPECT_EQ(forgotten(pump.node()), 0u) << "nobody noted whose it is";
  ASSERT_TRUE(note_interest(path_, own_->node(), "former").ok());
  EXPECT_EQ(forgotten(pump.node()), 0u) << "it was here before that";
  store({pond.open("pond")});
  EXPECT_EQ(forget_logs(path_, pump.node(), "present", all_of(pond.node())).value(), 1u)
      << "under either key";
  ASSERT_TRUE(note_interest(path_, pond.node(), "former").ok());
  store({pond.open("pond")});
  EXPECT_EQ(forgotten(pond.node()), 0u) << "what it wrote under another key";
  EXPECT_EQ(open().state(pump.log())->head(), 3u);
}

// It may take long, of one log as well: whoever waits is to see that it gets on.
TEST_F(ForgetTest, TellsThatItGetsOn) {
  test::SegmentMaker pump, pond;
  store({pump.open("pump"), pump.define(1)});
  std::vector<SegmentRecord> many{pond.open("pond"), pond.define(1)};
  for (int n = 0; n < 1000; ++n) many.push_back(pond.samples(1));
  store(many);
  const auto steps = [&](const NodeId& node) {
    std::size_t times = 0;
    EXPECT_EQ(
        forget_logs(path_, own_->node(), "present", all_of(node), [&] { times += 1; }).value(),
        node == pond.node() ? 2u : 1u);
    return times;
  };
  const std::size_t few = steps(pump.node());
  EXPECT_GT(steps(pond.node()), few + 10);
}

TEST_F(ForgetTest, TheSameInterestForgetsNothing) {
  test::SegmentMaker pump;
  store({pump.open("pump")});
  EXPECT_EQ(forget_logs(path_, own_->node(), "former", all_of(pump.node())).value(), 0u);
  EXPECT_EQ(forget_logs(path_, own_->node(), "other", all_of(pump.node())).value(), 1u);
}

TEST_F(ForgetTest, WhatIsNoLogIsLeftAlone) {
  EXPECT_EQ(forget(all_of(own_->node())), 0u);
  EXPECT_FALSE(std::ifstream(path_).good()) << "nor made";
  std::ofstream(path_) << "no database, and longer than the header of one: "
                       << std::string(200, 'x');
  EXPECT_FALSE(forget_logs(path_, own_->node(), "present", all_of(own_->node())).ok());
  EXPECT_TRUE(std::ifstream(path_).good());
}

}  // namespace
}  // namespace dunlin::storage
