// JSON from files that are not trusted: nested a hundred deep at most, since libraries walk through
// what they have read by recursion.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/error.h"

namespace framefold {

// Error(format) with `place` in front where the text is no JSON.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, const std::string& place) {
  const auto bounded = [&](int depth, typename Json::parse_event_t, Json&) {
    if (depth > 100) fail(ErrorCode::format, place, ": no JSON: nested more than 100 deep");
    return true;
  };
  try {
    return Json::parse(text, bounded);
  } catch (const typename Json::exception& error) {
    fail(ErrorCode::format, place, ": no JSON: ", error.what());
  }
}

// A whole number that T can hold; the library's own conversions are undefined for any other.
template <class T, class Json>
T integer(const Json& json, const std::string& place) {
  if (json.is_number_unsigned()) {
    const auto value = json.template get<std::uint64_t>();
    if (std::in_range<T>(value)) return static_cast<T>(value);
  } else if (json.is_number_integer()) {
    const auto value = json.template get<std::int64_t>();
    if (std::in_range<T>(value)) return static_cast<T>(value);
  }
  fail(ErrorCode::format, place, ": ", json.dump(), " is no whole number of ",
       std::numeric_limits<T>::min(), " to ", std::numeric_limits<T>::max());
}

}  // namespace framefold
