#include "common/page/page.h"

namespace dunlin::page {

namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ground: #f7f8fa; --card: #fff; --text: #1b2330; --quiet: #5b6675;
  --rule: #dfe3e9; --band: #e8ecf2; --c0: #2563c9; --c1: #b8500a; --c2: #0b7f76; --c3: #8a3ab9;
  --c4: #a8810c; --c5: #c2337a; --c6: #4d7c0f; --c7: #64748b; --alarm: #b3261e; --warn: #9a5b00;
  --good: #1c7c3c; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161c; --card: #1b212a; --text: #e6eaf0;
  --quiet: #9aa6b5; --rule: #323b47; --band: #28303b; --c0: #7db0ff; --c1: #ffab6b; --c2: #5ad6c9;
  --c3: #d09bf5; --c4: #e8c75a; --c5: #ff94c4; --c6: #a9d46a; --c7: #a3b1c4; --alarm: #ff8a80;
  --warn: #ffc46b; --good: #74d69a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 56px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 19px; margin: 36px 0 12px; }
h3 { font-size: 15px; margin: 0; }
p { margin: 0; max-width: 75ch; color: var(--quiet); }
.grid2 { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr));
  gap: 16px; }
.card, .plot { background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 16px; margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: 6px; }
th, td { text-align: right; padding: 5px 0 5px 16px; border-top: 1px solid var(--rule);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--quiet); font-weight: 400; border-top: 0; }
figcaption p { font-size: 13px; }
svg { width: 100%; height: auto; display: block; margin-top: 4px; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line0 { stroke: var(--c0); } .line1 { stroke: var(--c1); stroke-dasharray: 7 3; }
.line2 { stroke: var(--c2); stroke-dasharray: 2 3; } .line3 { stroke: var(--c3); }
.line4 { stroke: var(--c4); stroke-dasharray: 7 3; } .line5 { stroke: var(--c5); stroke-dasharray: 2 3; }
.line6 { stroke: var(--c6); } .line7 { stroke: var(--c7); }
.area { stroke: var(--card); stroke-width: .5; opacity: .8; }
.area0 { fill: var(--c0); } .area1 { fill: var(--c1); } .area2 { fill: var(--c2); }
.area3 { fill: var(--c3); } .area4 { fill: var(--c4); } .area5 { fill: var(--c5); }
.area6 { fill: var(--c6); } .area7 { fill: var(--c7); }
.cell { fill: var(--c0); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0 0; padding: 0;
  font-size: 13px; }
.legend li { min-width: 0; overflow-wrap: anywhere; }
.key { display: inline-block; width: 22px; height: 0; border-top: 3px solid; margin-right: 6px;
  vertical-align: middle; }
.key0 { border-color: var(--c0); } .key1 { border-color: var(--c1); border-top-style: dashed; }
.key2 { border-color: var(--c2); border-top-style: dotted; } .key3 { border-color: var(--c3); }
.key4 { border-color: var(--c4); border-top-style: dashed; }
.key5 { border-color: var(--c5); border-top-style: dotted; } .key6 { border-color: var(--c6); }
.key7 { border-color: var(--c7); } .key.filled { border-top: 10px solid; border-radius: 2px; width: 12px; }
.filled.key0 { border-color: var(--c0); } .filled.key1 { border-color: var(--c1); }
.filled.key2 { border-color: var(--c2); } .filled.key3 { border-color: var(--c3); }
.filled.key4 { border-color: var(--c4); } .filled.key5 { border-color: var(--c5); }
.filled.key6 { border-color: var(--c6); } .filled.key7 { border-color: var(--c7); }
.grid { stroke: var(--rule); stroke-width: 1; } .axis { stroke: var(--quiet); }
.band { fill: var(--band); } .hit { fill: transparent; } .hit:hover { fill: var(--c0); opacity: .12; }
text { font-size: 12px; fill: var(--quiet); } .name { fill: var(--text); }
.alarm { color: var(--alarm); } p.alarm { font-weight: 600; }
ul.notes { margin: 0; padding-left: 18px; max-width: 90ch; color: var(--quiet); font-size: 14px; }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
footer { margin-top: 28px; color: var(--quiet); font-size: 13px; }
)";

}  // namespace

std::string page_of(std::string_view title, std::string_view body, std::string_view style) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>";
  page += escape(title) + "</title>\n<style>";
  page += kStyle;
  page += style;
  page += "</style>\n</head>\n<body><main>\n";
  page += body;
  return page + "</main></body>\n</html>\n";
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string embedded(std::string_view id, std::string json) {
  for (std::size_t at = 0; (at = json.find("</", at)) != std::string::npos; at += 3)
    json.insert(at + 1, "\\");
  return "<script type=\"application/json\" id=\"" + escape(id) + "\">" + json + "</script>\n";
}

}  // namespace dunlin::page
