#include "tests/bench/figures.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/runtime/version.h"

namespace dunlin::bench {

void print(const Figure& figure) {
  nlohmann::ordered_json line;
  line["figure"] = figure.figure;
  line["value"] = figure.value;
  line["unit"] = figure.unit;
  line["system"] = figure.system;
  if (!figure.mode.empty()) line["mode"] = figure.mode;
  if (figure.batch != 0) line["batch"] = figure.batch;
  if (!figure.dataset.empty()) line["dataset"] = figure.dataset;
  if (!figure.side.empty()) line["side"] = figure.side;
  if (!figure.profile.empty()) line["profile"] = figure.profile;
  line["revision"] = kRevision;
  if (figure.bound) line["bound"] = *figure.bound;
  line["better"] = figure.higher_is_better ? "higher" : "lower";
  if (!figure.note.empty()) line["note"] = figure.note;
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

}  // namespace dunlin::bench
