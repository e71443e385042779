// JSON from files that are not trusted: nested a hundred deep at most, since libraries walk through
// what they have read by recursion.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

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

}  // namespace framefold
