#pragma once

#include "cli/report/curves.h"
#include "cli/report/fetch.h"

namespace dunlin::cli {

// A range of what a Prometheus has scraped, asked by its HTTP API.
class Prometheus final : public Source {
 public:
  struct Range {
    double from = 0, to = 0;  // Unix seconds
  };
  Prometheus(Fetcher fetcher, std::string url, Range range);

  Result<Curves> ask(const Series& series, const Chosen& chosen, bool last) override;
  std::string about() const override;

 private:
  Fetcher fetcher_;
  std::string url_;
  Range range_;
  double step_;
};

}  // namespace dunlin::cli
