#include <benchmark/benchmark.h>

#include <cstdio>

#include "tests/bench/figures.h"

namespace {

// Every result as a figure: nanoseconds for one of what the benchmark counts.
class FigureReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) {
        std::fprintf(stderr, "%s: %s\n", run.benchmark_name().c_str(), run.error_message.c_str());
        failed = true;
        continue;
      }
      const auto items = run.counters.find("items_per_second");
      if (items == run.counters.end()) continue;
      dunlin::bench::print({.figure = run.benchmark_name(),
                            .value = 1e9 / items->second.value,
                            .unit = "ns",
                            .system = "dunlin"});
    }
  }
  bool failed = false;
};

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  FigureReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return reporter.failed ? 1 : 0;
}
