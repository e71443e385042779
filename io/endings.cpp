#include "io/endings.h"

#include <cctype>
#include <string>

namespace framefold {

std::string ending_of(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending;
}

bool ends_in(std::string_view endings, const std::filesystem::path& path) {
  const std::string ending = ending_of(path);
  return !ending.empty() && endings.find(" " + ending + " ") != std::string_view::npos;
}

}  // namespace framefold
