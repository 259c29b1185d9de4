#pragma once

#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/inputs/input.h"
#include "common/config/table.h"
#include "dunlin/result.h"

namespace dunlin::test {

// Keeps what drivers hand over. `refuse` may answer an append with an error.
class FakeSink final : public agent::InputSink {
 public:
  struct Batch {
    StreamSchema schema;
    Rows rows;
    bool since_boot = false;
  };
  struct Report {
    std::string where;
    Error error;
    std::uint64_t times = 1;
  };

  agent::Stamp now() override {
    const std::lock_guard lock(mutex_);
    return stamp_;
  }
  Result<void> append(const StreamSchema& schema, Rows rows, bool since_boot) override {
    std::function<Result<void>(const StreamSchema&)> refuse;
    {
      const std::lock_guard lock(mutex_);
      refuse = refuse_;
    }
    if (refuse) DUNLIN_TRY(refuse(schema));  // may block, so without the lock
    const std::lock_guard lock(mutex_);
    batches_.push_back({schema, std::move(rows), since_boot});
    return {};
  }
  void report(const std::string& where, const Error& error, std::uint64_t times) override {
    const std::lock_guard lock(mutex_);
    reports_.push_back({where, error, times});
  }
  void waiting(std::optional<std::chrono::microseconds>) override {}

  void set_now(agent::Stamp stamp) {
    const std::lock_guard lock(mutex_);
    stamp_ = stamp;
  }
  void set_refuse(std::function<Result<void>(const StreamSchema&)> refuse) {
    const std::lock_guard lock(mutex_);
    refuse_ = std::move(refuse);
  }
  std::vector<Batch> batches() const {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  std::vector<Report> reports() const {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  std::size_t rows() const {
    std::size_t n = 0;
    for (const Batch& batch : batches()) n += batch.rows.size();
    return n;
  }
  // Rows as "stream time field=value ...", missing ones left out, for short expectations.
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const Batch& batch : batches()) {
      for (std::size_t row = 0; row < batch.rows.size(); ++row) out.push_back(line(batch, row));
    }
    return out;
  }

 private:
  static std::string line(const Batch& batch, std::size_t row) {
    std::string out = batch.schema.name + " " + std::to_string(batch.rows.time(row));
    for (std::size_t i = 0; i < batch.rows.fields(); ++i) {
      const Cell& cell = batch.rows.cell(row, i);
      if (cell.kind == Cell::Kind::missing) continue;
      out += " " + batch.schema.fields[i].name + "=";
      switch (cell.kind) {
        case Cell::Kind::missing:
          break;
        case Cell::Kind::integer:
          out += std::to_string(cell.integer);
          break;
        case Cell::Kind::real:
          out += real_text(cell.real);
          break;
        case Cell::Kind::boolean:
          out += cell.boolean ? "true" : "false";
          break;
        case Cell::Kind::text:
          out += "'" + std::string(batch.rows.text(cell)) + "'";
          break;
      }
    }
    return out;
  }
  static std::string real_text(double value) {
    char buffer[40];
    std::snprintf(buffer, sizeof buffer, "%g", value);
    return buffer;
  }

  mutable std::mutex mutex_;
  agent::Stamp stamp_{1'700'000'000'000'000, false};
  std::function<Result<void>(const StreamSchema&)> refuse_;
  std::vector<Batch> batches_;
  std::vector<Report> reports_;
};

// An input made from the TOML of one [[input]], run on a thread until it ends or stop() is called.
class InputRun {
 public:
  InputRun(FakeSink& sink, std::unique_ptr<agent::Input> input) : input_(std::move(input)) {
    thread_ = std::jthread(
        [this, &sink](std::stop_token stop) { result_ = input_->run(sink, std::move(stop)); });
  }
  Result<void> stop() {
    thread_.request_stop();
    return wait();
  }
  // For the end of the input.
  Result<void> wait() {
    if (thread_.joinable()) thread_.join();
    return result_;
  }

 private:
  std::unique_ptr<agent::Input> input_;
  Result<void> result_;
  std::jthread thread_;
};

// What `check` would say about an [[input]] with this body; the input itself, if it could be made.
struct MadeInput {
  std::unique_ptr<agent::Input> input;
  std::vector<std::string> mistakes;
};
inline MadeInput make_input(const std::string& body) {
  auto document = config::Document::parse("[[input]]\n" + body, "test.toml", {});
  if (!document.ok()) return {nullptr, {document.error().message()}};
  MadeInput made;
  auto tables = document->root().tables("input");
  auto input = agent::make_input(tables.at(0));
  if (input.ok()) made.input = std::move(input).value();
  made.mistakes = document->mistakes();
  return made;
}

}  // namespace dunlin::test
