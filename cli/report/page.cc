#include "cli/report/page.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "cli/report/panel.h"
#include "common/page/page.h"
#include "common/page/plot.h"
#include "common/page/words.h"
#include "common/runtime/version.h"

namespace dunlin::cli {

namespace {

using page::escape;

constexpr std::size_t kGatewaysMax = 8;

constexpr std::string_view kStyle = R"(
main { max-width: 1240px; }
h2 { font-size: 22px; margin: 48px 0 4px; padding-top: 20px; border-top: 2px solid var(--rule); }
h4 { font-size: 13px; font-weight: 600; letter-spacing: .04em; text-transform: uppercase;
  color: var(--quiet); margin: 26px 0 10px; }
.panels { display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); gap: 14px; }
.panels > * { grid-column: span var(--w); min-width: 0; }
@media (max-width: 900px) { .panels > * { grid-column: span 24; }
  .panels > .number { grid-column: span 8; } }
@media (max-width: 520px) { .panels > .number { grid-column: span 12; } }
.panels .card, .panels .plot { height: 100%; padding: 14px 16px; }
.about, .plot figcaption p { font-size: 12.5px; line-height: 1.4; color: var(--quiet); }
.value { font-size: 30px; line-height: 1.25; font-weight: 600; font-variant-numeric: tabular-nums;
  margin: 2px 0; white-space: nowrap; }
.value.word { font-size: 22px; line-height: 1.7; }
.value small { font-size: 14px; font-weight: 400; color: var(--quiet); margin-left: 8px; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--alarm); }
.bars { display: grid; grid-template-columns: minmax(0, max-content) 1fr max-content; gap: 7px 12px;
  align-items: center; margin-top: 12px; font-size: 13px; font-variant-numeric: tabular-nums; }
.bars span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bar { height: 12px; border-radius: 3px; background: var(--band); }
.bar i { display: block; height: 100%; min-width: 2px; border-radius: 3px; background: var(--c0); }
.bar i.warn { background: var(--warn); } .bar i.bad { background: var(--alarm); }
.empty { color: var(--quiet); font-style: italic; margin-top: 12px; }
nav { margin: 18px 0 0; display: flex; flex-wrap: wrap; gap: 6px 20px; font-size: 14px; }
a { color: var(--c0); }
@media print { .panels > * { break-inside: avoid; } }
)";

std::string moment_text(double at) {
  const std::chrono::sys_seconds time{std::chrono::seconds(std::llround(at))};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d", int(date.year()),
                unsigned(date.month()), unsigned(date.day()), int(clock.hours().count()),
                int(clock.minutes().count()), int(clock.seconds().count()));
  return text;
}

// One of those that a dashboard may be about.
struct Subject {
  std::string value;
  std::string text;
};

Result<std::vector<Subject>> subjects_of(const Choice& choice, Source& source) {
  Series among = choice.among;
  among.combine = {{Step::Op::max, {choice.value, choice.text}}};
  DUNLIN_ASSIGN(const Curves found, source.ask(among, {}, true));
  std::vector<Subject> out;
  for (const Curve& curve : found.curves) {
    const auto value = curve.labels.find(choice.value), text = curve.labels.find(choice.text);
    if (value == curve.labels.end() || text == curve.labels.end()) continue;
    if (std::ranges::none_of(out,
                             [&](const Subject& other) { return other.value == value->second; }))
      out.push_back({value->second, text->second});
  }
  std::ranges::sort(out, {}, &Subject::text);
  return out;
}

// Of all nodes; of equals the one that has been silent for longest.
Result<std::string> furthest_behind(Source& source) {
  std::map<std::string, std::pair<double, double>> nodes;
  const Step by_node{Step::Op::max, {"node"}};
  const Series lag{.metric = "dunlin_node_lag_seconds", .combine = {by_node}};
  const Series seen{
      .metric = "dunlin_node_last_seen_timestamp_seconds", .form = Form::age, .combine = {by_node}};
  DUNLIN_ASSIGN(const Curves lags, source.ask(lag, {}, true));
  DUNLIN_ASSIGN(const Curves ages, source.ask(seen, {}, true));
  for (const Curve& curve : lags.curves)
    nodes[curve.labels.at("node")].first = curve.values.back().value_or(0);
  for (const Curve& curve : ages.curves)
    nodes[curve.labels.at("node")].second = curve.values.back().value_or(0);
  const auto worst =
      std::ranges::max_element(nodes, {}, [](const auto& node) { return node.second; });
  return worst == nodes.end() ? std::string() : worst->first;
}

// Those of the subjects that are drawn.
Result<std::vector<Subject>> chosen_of(const Choice& choice, Source& source,
                                       const ReportPlan& plan) {
  DUNLIN_ASSIGN(std::vector<Subject> all, subjects_of(choice, source));
  if (choice.name != "node") {
    all.resize(std::min(all.size(), kGatewaysMax));
    return all;
  }
  std::vector<std::string> wanted = plan.nodes;
  if (wanted.empty()) {
    DUNLIN_ASSIGN(const std::string worst, furthest_behind(source));
    if (!worst.empty()) wanted = {worst};
  }
  std::vector<Subject> out;
  for (const std::string& name : wanted) {
    const auto found = std::ranges::find_if(
        all, [&](const Subject& each) { return each.value == name || each.text == name; });
    if (found != all.end())
      out.push_back(*found);
    else if (!plan.nodes.empty())
      return {Errc::not_found, "no gateway knows a node " + name};
  }
  return out;
}

struct Section {
  std::string id, title, html;
};

Result<Section> section_of(const Dashboard& dashboard, Source& source, const Chosen& chosen,
                           const ReportPlan& plan) {
  Section section;
  section.html = "<p>" + escape(dashboard.about) + "</p>\n";
  for (const Row& row : dashboard.rows) {
    section.html += "<h4>" + escape(row.title) + "</h4>\n<div class=\"panels\">\n";
    for (const Panel& panel : row.panels) {
      const bool last = panel.kind == Panel::Kind::number || panel.kind == Panel::Kind::bars;
      std::vector<Curves> values;
      for (const Series& series : panel.series) {
        DUNLIN_ASSIGN(Curves curves, source.ask(series, chosen, last));
        values.push_back(std::move(curves));
      }
      section.html += draw_panel(panel, values, {plan.from, plan.to});
    }
    section.html += "</div>\n";
  }
  return section;
}

}  // namespace

Result<std::string> report_page(const std::vector<Dashboard>& dashboards, Source& source,
                                const ReportPlan& plan) {
  std::vector<Section> sections;
  for (const Dashboard& dashboard : dashboards) {
    if (!dashboard.choice) {
      DUNLIN_ASSIGN(Section section, section_of(dashboard, source, {}, plan));
      section.title = "Fleet";
      sections.push_back(std::move(section));
      continue;
    }
    DUNLIN_ASSIGN(const std::vector<Subject> subjects, chosen_of(*dashboard.choice, source, plan));
    for (const Subject& subject : subjects) {
      const Chosen chosen{{dashboard.choice->name, subject.value}};
      DUNLIN_ASSIGN(Section section, section_of(dashboard, source, chosen, plan));
      section.title = dashboard.choice->title + " " + subject.text;
      sections.push_back(std::move(section));
    }
  }
  std::string links, content;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const std::string id = "section" + std::to_string(i);
    links += "<a href=\"#" + id + "\">" + escape(sections[i].title) + "</a>";
    content += "<h2 id=\"" + id + "\">" + escape(sections[i].title) + "</h2>\n" + sections[i].html;
  }
  const std::string length = page::seconds_text(plan.to - plan.from);
  const std::string body = "<h1>Fleet report</h1>\n<p>" + escape(length) + " until " +
                           moment_text(plan.to) + " UTC, by " + escape(source.about()) +
                           ".</p>\n<nav>" + links + "</nav>\n" + content + "<footer>dunlin " +
                           kVersion + " (" + kRevision + ")</footer>\n";
  return page::page_of("Dunlin fleet report, " + moment_text(plan.to), body, kStyle);
}

}  // namespace dunlin::cli
