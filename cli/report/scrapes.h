#pragma once

#include <string>
#include <vector>

#include "cli/report/curves.h"

namespace dunlin::cli {

// Pages of /metrics as they were fetched, and what Prometheus would make of them: the same series,
// computed here. Rates are taken over four pages. What Prometheus adds is added: the labels job and
// instance, and the metric `up`.
class Scrapes final : public Source {
 public:
  // Then the pages of that time, one for each instance.
  void begin(double at);
  void add(const std::string& instance, const std::vector<Sample>& samples);
  void add_down(const std::string& instance);

  Result<Curves> ask(const Series& series, const Chosen& chosen, bool last) override;
  std::string about() const override;

 private:
  void put(const std::string& metric, Labels labels, double value);
  std::vector<Curve> select(const Series& series, const Chosen& chosen) const;
  std::map<std::string, std::string> names() const;

  std::vector<double> at_;
  std::map<std::string, std::map<Labels, std::vector<std::optional<double>>>> metrics_;
  std::map<std::string, std::size_t> instances_;  // pages of each
};

}  // namespace dunlin::cli
