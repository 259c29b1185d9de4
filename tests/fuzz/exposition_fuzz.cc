// Whatever answers as /metrics, a report makes samples of it or says where it is wrong.
#include "cli/report/exposition.h"

#include "cli/report/scrapes.h"
#include "tests/fuzz/fuzz.h"

namespace dunlin::fuzz {

void take(ByteView input) {
  const auto samples = cli::parse_exposition(as_text(input));
  if (!samples.ok()) return;
  cli::Scrapes scrapes;
  for (const double at : {1.0, 2.0}) {
    scrapes.begin(at);
    scrapes.add("one", *samples);
  }
  // What was read of any metric is there to be asked for.
  for (const cli::Sample& sample : *samples) {
    for (const cli::Form form : {cli::Form::value, cli::Form::rate, cli::Form::increase})
      DUNLIN_CHECK(scrapes.ask({.metric = sample.metric, .form = form}, {}, false).ok());
    const cli::Series median{.metric = sample.metric.substr(0, sample.metric.rfind("_bucket")),
                             .form = cli::Form::quantile,
                             .quantile = 0.5};
    DUNLIN_CHECK(scrapes.ask(median, {}, true).ok());
  }
}

}  // namespace dunlin::fuzz
