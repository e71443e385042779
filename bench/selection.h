// Which rows of framefold-bench run, by their names as they are shown: Google Benchmark's own
// filter sees longer ones, so that "forward$" would match nothing there.
#pragma once

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "kernels/error.h"

namespace framefold::bench {

// The names that the regular expression finds, in their order; behind `after`, where it is given.
inline std::vector<std::string> selected(const std::vector<std::string>& names,
                                         const std::string& filter, const std::string& after = {}) {
  std::regex wanted;
  try {
    wanted = filter;
  } catch (const std::regex_error& error) {
    fail(ErrorCode::argument, "--filter \"", filter, "\" is no regular expression: ", error.what());
  }
  std::vector<std::string> found;
  for (const std::string& name : names)
    if (std::regex_search(name, wanted)) found.push_back(name);
  if (found.empty())
    fail(ErrorCode::argument, "--filter \"", filter, "\" matches none of ", names.size(),
         " rows; --list prints their names");
  if (after.empty()) return found;
  const auto last = std::find(found.begin(), found.end(), after);
  if (last == found.end())
    fail(ErrorCode::argument, "--after \"", after, "\" is none of the rows that --list prints");
  found.erase(found.begin(), last + 1);
  return found;
}

}  // namespace framefold::bench
