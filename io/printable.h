// Text from outside (file names, labels, metadata), safe to show.
#pragma once

#include <string>
#include <string_view>

namespace framefold {

// Control characters, those that turn the direction of writing, and bytes that are no UTF-8 become
// \x1b, \u202e and \xff, so that no terminal acts on them; characters of `kept` stay.
std::string printable(std::string_view text, std::string_view kept = "\n\t");

// Whether the text is UTF-8 throughout.
bool is_utf8(std::string_view text);

// As nlohmann's dump, which throws where a text is no UTF-8; here such bytes become U+FFFD.
template <class Json>
std::string dumped(const Json& json, int indent = -1, bool ascii = false) {
  return json.dump(indent, ' ', ascii, Json::error_handler_t::replace);
}

}  // namespace framefold
