#include "cli/report/scrapes.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace dunlin::cli {

namespace {

using Values = std::vector<std::optional<double>>;

constexpr const char* kJob = "dunlin";

// A counter that fell began again.
double risen(double before, double now) {
  return now >= before ? now - before : now;
}

Values increases(const Values& values) {
  Values out(values.size());
  double sum = 0;
  std::optional<double> before;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    if (before) sum += risen(*before, *values[i]);
    before = values[i];
    out[i] = sum;
  }
  return out;
}

// A second, each over the pages of a window that ends with it.
Values rates(const Values& values, const std::vector<double>& at, std::size_t window) {
  const Values up_to = increases(values);
  Values out(values.size());
  for (std::size_t i = 1; i < values.size(); ++i) {
    std::size_t from = i - std::min(i, window);
    while (from < i && !up_to[from]) ++from;
    if (up_to[i] && from < i)
      out[i] = (*up_to[i] - *up_to[from]) / std::max(1e-3, at[i] - at[from]);
  }
  return out;
}

Values formed(Form form, Values values, const std::vector<double>& at) {
  switch (form) {
    case Form::value:
      return values;
    case Form::magnitude:
      for (std::optional<double>& value : values) {
        if (value) value = std::abs(*value);
      }
      return values;
    case Form::rate:
    case Form::quantile:
      return rates(values, at, 4);
    case Form::buckets:
      return rates(values, at, 1);
    case Form::increase:
      return increases(values);
    case Form::age:
    case Form::left:
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (values[i]) *values[i] = form == Form::age ? at[i] - *values[i] : *values[i] - at[i];
      }
      return values;
  }
  return values;
}

// Of a sorted list of which there is at least one, as Prometheus interpolates it.
double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double rank = 0.5 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(std::floor(rank));
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (values[high] - values[low]) * (rank - std::floor(rank));
}

double one_of(Step::Op op, const std::vector<double>& values) {
  switch (op) {
    case Step::Op::sum: {
      double sum = 0;
      for (const double value : values) sum += value;
      return sum;
    }
    case Step::Op::max:
      return *std::max_element(values.begin(), values.end());
    case Step::Op::min:
      return *std::min_element(values.begin(), values.end());
    case Step::Op::median:
      return median(values);
  }
  return 0;
}

// Curves whose labels agree become one, by what `fold` makes of them.
std::vector<Curve> grouped(const std::vector<Curve>& curves,
                           const std::function<Labels(const Labels&)>& group,
                           const std::function<Values(const std::vector<const Curve*>&)>& fold) {
  std::map<Labels, std::vector<const Curve*>> groups;
  for (const Curve& curve : curves) groups[group(curve.labels)].push_back(&curve);
  std::vector<Curve> out;
  for (const auto& [labels, members] : groups) out.push_back({labels, fold(members)});
  return out;
}

std::vector<Curve> combined(const Step& step, const std::vector<Curve>& curves) {
  const auto group = [&](const Labels& labels) {
    Labels kept;
    for (const std::string& label : step.by) {
      const auto found = labels.find(label);
      if (found != labels.end()) kept.insert(*found);
    }
    return kept;
  };
  return grouped(curves, group, [&](const std::vector<const Curve*>& members) {
    Values values(members.front()->values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::vector<double> there;
      for (const Curve* member : members) {
        if (member->values[i]) there.push_back(*member->values[i]);
      }
      if (!there.empty()) values[i] = one_of(step.op, there);
    }
    return values;
  });
}

double bound_of(const Labels& labels) {
  const auto le = labels.find("le");
  if (le == labels.end() || le->second == "+Inf") return std::numeric_limits<double>::infinity();
  return std::strtod(le->second.c_str(), nullptr);
}

// As Prometheus' histogram_quantile: evenly spread within a bucket.
std::optional<double> quantile_of(double share,
                                  const std::vector<std::pair<double, double>>& up_to) {
  if (up_to.empty() || up_to.back().second <= 0) return std::nullopt;
  const double rank = share * up_to.back().second;
  std::size_t i = 0;
  while (i + 1 < up_to.size() && up_to[i].second < rank) ++i;
  const double low = i == 0 ? 0 : up_to[i - 1].first, below = i == 0 ? 0 : up_to[i - 1].second;
  if (std::isinf(up_to[i].first)) return low;
  const double within = up_to[i].second - below;
  return within <= 0 ? low : low + (up_to[i].first - low) * (rank - below) / within;
}

std::vector<Curve> quantiles(double share, const std::vector<Curve>& curves) {
  const auto group = [](Labels labels) {
    labels.erase("le");
    return labels;
  };
  return grouped(curves, group, [&](std::vector<const Curve*> members) {
    std::ranges::sort(members, {}, [](const Curve* curve) { return bound_of(curve->labels); });
    Values values(members.front()->values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::vector<std::pair<double, double>> up_to;
      for (const Curve* member : members) {
        if (member->values[i]) up_to.emplace_back(bound_of(member->labels), *member->values[i]);
      }
      values[i] = quantile_of(share, up_to);
    }
    return values;
  });
}

double last_of(const Curve& curve) {
  return curve.values.empty() ? 0 : curve.values.back().value_or(-1e300);
}

}  // namespace

void Scrapes::begin(double at) {
  at_.push_back(at);
  for (auto& [name, curves] : metrics_) {
    for (auto& [labels, values] : curves) values.resize(at_.size());
  }
}

void Scrapes::put(const std::string& metric, Labels labels, double value) {
  auto& values = metrics_[metric][std::move(labels)];
  values.resize(at_.size());
  if (!std::isnan(value)) values.back() = value;
}

void Scrapes::add(const std::string& instance, const std::vector<Sample>& samples) {
  ++instances_[instance];
  put("up", {{"instance", instance}, {"job", kJob}}, 1);
  for (const Sample& sample : samples) {
    Labels labels = sample.labels;
    labels["instance"] = instance;
    labels["job"] = kJob;
    put(sample.metric, std::move(labels), sample.value);
  }
}

void Scrapes::add_down(const std::string& instance) {
  instances_.try_emplace(instance, 0);
  put("up", {{"instance", instance}, {"job", kJob}}, 0);
}

std::vector<Curve> Scrapes::select(const Series& series, const Chosen& chosen) const {
  const bool buckets = series.form == Form::buckets || series.form == Form::quantile;
  const auto metric = metrics_.find(series.metric + (buckets ? "_bucket" : ""));
  if (metric == metrics_.end()) return {};
  std::vector<Curve> out;
  for (const auto& [labels, values] : metric->second) {
    const auto fits = [&, &found = labels](const Matcher& matcher) {
      std::string wanted = matcher.value;
      if (wanted.starts_with('$')) {
        const auto choice = chosen.find(wanted.substr(1));
        if (choice != chosen.end()) wanted = choice->second;
      }
      const auto label = found.find(matcher.label);
      return ((label == found.end() ? "" : label->second) == wanted) != matcher.differs;
    };
    if (std::ranges::all_of(series.where, fits)) out.push_back({labels, values});
  }
  return out;
}

// Of nodes, by their ids.
std::map<std::string, std::string> Scrapes::names() const {
  std::map<std::string, std::string> out;
  for (const Curve& curve : select({.metric = "dunlin_node_info"}, {})) {
    const auto node = curve.labels.find("node"), name = curve.labels.find("name");
    if (node != curve.labels.end() && name != curve.labels.end())
      out.emplace(node->second, name->second);
  }
  return out;
}

Result<Curves> Scrapes::ask(const Series& series, const Chosen& chosen, bool last) {
  std::vector<Curve> curves = select(series, chosen);
  for (Curve& curve : curves) curve.values = formed(series.form, std::move(curve.values), at_);
  for (const Step& step : series.combine) curves = combined(step, curves);
  if (series.form == Form::quantile) curves = quantiles(series.quantile, curves);
  if (series.named) {
    const auto known = names();
    std::erase_if(curves, [&](Curve& curve) {
      const auto node = curve.labels.find("node");
      const auto name = node == curve.labels.end() ? known.end() : known.find(node->second);
      if (name == known.end()) return true;
      curve.labels["name"] = name->second;
      return false;
    });
  }
  if (last) {
    for (Curve& curve : curves)
      curve.values = {curve.values.empty() ? std::nullopt : curve.values.back()};
  }
  std::erase_if(curves, [](const Curve& curve) {
    return std::ranges::none_of(curve.values, [](const auto& value) { return value.has_value(); });
  });
  if (series.top > 0) {
    std::ranges::stable_sort(curves, std::ranges::greater(), last_of);
    curves.resize(std::min(curves.size(), series.top));
  }
  Curves out{at_, std::move(curves)};
  if (last && !at_.empty()) out.at = {at_.back()};
  if (series.none && out.curves.empty())
    out.curves.push_back({{}, Values(out.at.size(), series.none)});
  return out;
}

std::string Scrapes::about() const {
  std::string out;
  for (const auto& [instance, pages] : instances_) {
    out += (out.empty() ? "" : ", ") + instance +
           (pages == 0 ? " (down)" : " (" + std::to_string(pages) + " times)");
  }
  return "/metrics of " + out;
}

}  // namespace dunlin::cli
