#pragma once

#include <string>
#include <string_view>

namespace dunlin::page {

// One page that needs nothing from elsewhere, light or dark as its reader's screen is. `body` is
// HTML, with the classes of its style: card, grid2, scroll, quiet ...; `style` adds to that.
std::string page_of(std::string_view title, std::string_view body, std::string_view style = "");

std::string escape(std::string_view text);  // for HTML
// JSON for programs that read the page, as the element `id`.
std::string embedded(std::string_view id, std::string json);

}  // namespace dunlin::page
