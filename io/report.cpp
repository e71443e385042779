#include "io/report.h"

#include <algorithm>
#include <cstdio>

namespace framefold {
namespace {

// What plot_style() leaves to the page: its measure, type and boxes.
constexpr std::string_view style = R"(
*{box-sizing:border-box}
body{margin:0;background:var(--surface);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;-webkit-font-smoothing:antialiased}
main{max-width:1080px;margin:0 auto;padding:48px 24px 96px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.02em;font-weight:650;margin:0}
h2{font-size:18px;letter-spacing:-.01em;font-weight:620;margin:64px 0 4px}
.sub,.note,figcaption{color:var(--muted)}
.brand{margin:0 0 4px;font-size:13px;color:var(--muted)}
.sub{margin:8px 0 0;max-width:80ch}.note{margin:0 0 20px;max-width:68ch;font-size:14.5px}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:1px;background:var(--grid);border:1px solid var(--grid);border-radius:10px;overflow:hidden;margin:36px 0 0}
.numbers div{background:var(--surface);padding:18px 20px 16px}
.numbers dt{font-size:13px;color:var(--muted)}
.numbers dd{margin:2px 0 0;font-size:28px;font-weight:600;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.numbers dd small{font-size:15px;font-weight:450;letter-spacing:0;color:var(--muted);margin-left:5px}
.numbers p{margin:2px 0 0;font-size:13px;color:var(--muted)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:36px 40px;margin-top:20px}
.charts svg{width:100%;height:auto;display:block;overflow:visible}
figure{margin:24px 0 0}
figure img{display:block;width:100%;height:auto;border-radius:6px;border:1px solid var(--grid);background:#fff}
figcaption{font-size:13.5px;margin-top:8px}
.bars{display:grid;grid-template-columns:max-content 1fr max-content;gap:6px 16px;align-items:center;font-size:14px;margin-top:16px}
.bars i{display:block;height:12px;border-radius:2px;background:var(--c0);min-width:1px}
.bars b{font-weight:400;font-variant-numeric:tabular-nums;color:var(--muted);text-align:right}
.tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:24px 56px;align-items:start;margin-top:16px}
.tables>div{overflow-x:auto}
table{border-collapse:collapse;font-size:14px;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:500;color:var(--muted);text-align:left;padding:6px 24px 6px 0;border-bottom:1px solid var(--grid);white-space:nowrap}
td{padding:6px 24px 6px 0;border-bottom:1px solid var(--grid);white-space:nowrap}
td:last-child,th:last-child{padding-right:0}
tr:last-child td{border-bottom:0}
td.n,th.n{text-align:right}
details{margin-top:16px}
summary{cursor:pointer;color:var(--muted);font-size:14px}
pre{font:12.5px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-x:auto;padding:16px 18px;border:1px solid var(--grid);border-radius:8px}
@media (max-width:600px){main{padding:28px 16px 64px}h2{margin-top:48px}.numbers dd{font-size:23px}
figure{overflow-x:auto}figure img{min-width:620px}figcaption{position:sticky;left:0}
.bars{grid-template-columns:1fr max-content;grid-auto-flow:dense}.bars i{grid-column:1/-1;margin-bottom:6px}}
@media print{details{display:none}}
)";

bool is_number(const std::string& cell) {
  return !cell.empty() && cell.find_first_of("0123456789") <= 1;
}

}  // namespace

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      out += i + j <= bytes.size() ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

Report::Report(std::string title, const std::string& subtitle) : title_(std::move(title)) {
  body_ = "<header><p class=brand>Framefold</p><h1>" + escape_html(title_) + "</h1><p class=sub>" +
          escape_html(subtitle) + "</p></header>\n";
}

void Report::headlines(const std::vector<Headline>& numbers) {
  body_ += "<dl class=numbers>";
  for (const Headline& number : numbers) {
    body_ += "<div><dt>" + escape_html(number.label) + "</dt><dd>" + escape_html(number.value);
    if (!number.unit.empty()) body_ += "<small>" + escape_html(number.unit) + "</small>";
    body_ += "</dd>";
    if (!number.note.empty()) body_ += "<p>" + escape_html(number.note) + "</p>";
    body_ += "</div>";
  }
  body_ += "</dl>\n";
}

void Report::section(std::string_view heading, std::string_view note) {
  if (open_) body_ += "</section>\n";
  open_ = true;
  body_ += "<section><h2>" + escape_html(heading) + "</h2>";
  if (!note.empty()) body_ += "<p class=note>" + escape_html(note) + "</p>";
}

void Report::charts(const std::vector<Chart>& charts) {
  body_ += "<div class=charts>";
  for (const Chart& chart : charts) body_ += plot(chart) + '\n';
  body_ += "</div>\n";
}

void Report::picture(std::string_view media_type, std::string_view bytes,
                     std::string_view caption) {
  const std::string alt = escape_html(caption);
  body_ += "<figure><img alt=\"" + alt + "\" src=\"data:" + std::string(media_type) + ";base64," +
           base64(bytes) + "\"><figcaption>" + alt + "</figcaption></figure>\n";
}

void Report::bars(const std::vector<Bar>& bars) {
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, bar.value);
  body_ += "<div class=bars>";
  for (const Bar& bar : bars) {
    char width[32];
    std::snprintf(width, sizeof width, "%.2f", most > 0 ? 100 * bar.value / most : 0.0);
    body_ += "<span>" + escape_html(bar.label) + "</span><i style=\"width:" + width +
             "%\"></i><b>" + escape_html(bar.text) + "</b>";
  }
  body_ += "</div>\n";
}

void Report::tables(const std::vector<ReportTable>& tables) {
  body_ += "<div class=tables>";
  for (const ReportTable& each : tables) table(each);
  body_ += "</div>\n";
}

void Report::table(const ReportTable& table) {
  const auto line = [&](const char* tag, const std::vector<std::string>& cells) {
    body_ += "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i) {
      // By the first row: a heading stands as its column does.
      const auto& first = table.rows.front();
      const bool number = i > 0 && i < first.size() && is_number(first[i]);
      body_ += std::string("<") + tag + (number ? " class=n>" : ">") + escape_html(cells[i]) +
               "</" + tag + ">";
    }
    body_ += "</tr>";
  };
  body_ += "<div><table>";
  if (!table.rows.empty()) line("th", table.heading);
  for (const auto& row : table.rows) line("td", row);
  body_ += "</table></div>\n";
}

void Report::code(std::string_view summary, std::string_view text) {
  body_ += "<details><summary>" + escape_html(summary) + "</summary><pre>" + escape_html(text) +
           "</pre></details>\n";
}

std::string Report::html() const {
  return "<!doctype html>\n<html lang=en><meta charset=utf-8>"
         "<meta name=viewport content=\"width=device-width,initial-scale=1\"><title>" +
         escape_html(title_) + "</title>\n<style>" + plot_style() + std::string(style) +
         "</style>\n<main>\n" + body_ + (open_ ? "</section>\n" : "") + "</main></html>\n";
}

}  // namespace framefold
