#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "cli/commands.h"
#include "cli/dashboards/grafana.h"
#include "cli/report/page.h"
#include "cli/report/prometheus.h"
#include "cli/report/scrapes.h"
#include "common/base/wall_clock.h"
#include "common/config/units.h"

namespace dunlin::cli {

namespace {

using Seconds = std::chrono::duration<double>;

struct Asked {
  std::string out;
  std::string prometheus;
  std::vector<std::string> gateways;
  std::string folder = "fleet";
  std::chrono::microseconds range = std::chrono::hours(6);
  std::chrono::microseconds watched = std::chrono::seconds(60);
  std::vector<std::string> nodes;
};

double now() {
  return Seconds(std::chrono::microseconds(utc_now())).count();
}

Result<void> write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (!file) return {Errc::io, "cannot write " + path};
  return {};
}

// The operator's, where the fleet's folder is at hand; without it nobody is named.
std::optional<Identity> identity_of(const Asked& asked) {
  const Identity identity = operator_of(asked.folder);
  if (!std::filesystem::exists(identity.key)) return std::nullopt;
  return identity;
}

// HOST:PORT of a URL, as Prometheus names an instance.
std::string instance_of(const std::string& url) {
  const std::size_t host = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
  return url.substr(host, url.find('/', host) - host);
}

// Asks all of them again and again, at the same pace whatever they take.
Result<Scrapes> scrape(const Asked& asked) {
  constexpr int kPages = 30;
  std::vector<Fetcher> fetchers;
  for (const std::string& url : asked.gateways) {
    DUNLIN_ASSIGN(Fetcher fetcher, Fetcher::make(url, identity_of(asked)));
    fetchers.push_back(std::move(fetcher));
  }
  const auto pause =
      std::max<std::chrono::microseconds>(asked.watched / kPages, std::chrono::milliseconds(500));
  const auto began = std::chrono::steady_clock::now();
  Scrapes scrapes;
  for (auto next = began; next <= began + asked.watched; next += pause) {
    std::this_thread::sleep_until(next);
    scrapes.begin(now());
    std::size_t answered = 0;
    std::optional<Error> why;
    for (std::size_t i = 0; i < fetchers.size(); ++i) {
      const std::string instance = instance_of(asked.gateways[i]);
      const Result<std::string> page = fetchers[i].get("/metrics");
      const Result<std::vector<Sample>> samples =
          page.ok() ? parse_exposition(*page) : Result<std::vector<Sample>>(page.error());
      if (samples.ok()) {
        scrapes.add(instance, *samples);
        ++answered;
      } else {
        scrapes.add_down(instance);
        why = samples.error();
      }
    }
    // One that goes down meanwhile is told of; with none there is nothing to tell.
    if (next == began && answered == 0) return *why;
  }
  return scrapes;
}

int report(const Asked& asked) {
  ReportPlan plan{.nodes = asked.nodes};
  std::unique_ptr<Source> source;
  if (!asked.prometheus.empty()) {
    Result<Fetcher> fetcher = Fetcher::make(asked.prometheus, std::nullopt);
    if (!fetcher.ok()) return fail(fetcher.error());
    plan.to = now();
    plan.from = plan.to - Seconds(asked.range).count();
    source = std::make_unique<Prometheus>(*std::move(fetcher), asked.prometheus,
                                          Prometheus::Range{plan.from, plan.to});
  } else {
    plan.from = now();
    Result<Scrapes> scrapes = scrape(asked);
    if (!scrapes.ok()) return fail(scrapes.error());
    plan.to = now();
    source = std::make_unique<Scrapes>(*std::move(scrapes));
  }
  const Result<std::string> page = report_page(dashboards(), *source, plan);
  if (!page.ok()) return fail(page.error());
  const Result<void> written = write_file(asked.out, *page);
  if (!written.ok()) return fail(written.error());
  std::printf("%s\n", asked.out.c_str());
  return kOk;
}

int write_dashboards(const Asked& asked) {
  for (const Dashboard& dashboard : dashboards()) {
    const std::string path = asked.out + "/" + dashboard.name + ".json";
    const Result<void> written = write_file(path, grafana_json(dashboard));
    if (!written.ok()) return fail(written.error());
    std::printf("%s\n", path.c_str());
  }
  return kOk;
}

CLI::Option* add_duration(CLI::App* command, const char* name, std::chrono::microseconds& into,
                          const char* about) {
  return command->add_option_function<std::string>(
      name,
      [&into](const std::string& text) {
        const auto parsed = config::parse_duration(text);
        if (!parsed.ok() || *parsed < std::chrono::seconds(1))
          throw CLI::ValidationError(text, "a duration such as 60s or 6h");
        into = *parsed;
      },
      about);
}

}  // namespace

void add_report_commands(CLI::App& app, Command& chosen) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* command = app.add_subcommand("report", "draw the dashboards as one HTML page");
  command->add_option("--out", asked->out, "the page")->required();
  CLI::Option* from = command->add_option("--prometheus", asked->prometheus, "http://HOST:PORT");
  add_duration(command, "--range", asked->range, "of Prometheus, until now (6h)")->needs(from);
  CLI::Option* gateways = command->add_option("--gateway", asked->gateways,
                                              "http://HOST:PORT or https://HOST:PORT, one or more");
  add_duration(command, "--for", asked->watched, "to watch the gateways (60s)")->needs(gateways);
  command->add_option("--node", asked->nodes, "whose panels are drawn (the one furthest behind)");
  add_folder(command, asked->folder)->needs(gateways);
  from->excludes(gateways);
  command->callback([&chosen, asked] {
    if (asked->prometheus.empty() && asked->gateways.empty())
      throw CLI::RequiredError("--prometheus or --gateway");
    chosen = [asked] { return report(*asked); };
  });
  command = app.add_subcommand("dashboards", "write those of Grafana, as JSON");
  command->add_option("--out", asked->out, "a folder that is there")->required();
  command->callback([&chosen, asked] { chosen = [asked] { return write_dashboards(*asked); }; });
}

}  // namespace dunlin::cli
