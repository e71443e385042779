// Who may write in a folder, one process at a time.
#pragma once

#include <filesystem>
#include <string_view>

#include "io/file.h"

namespace framefold {

// The folder's lock, held until the descriptor closes, however the process ends; Error(file) that
// says `refusal` where another holds it.
Descriptor lock_folder(const std::filesystem::path& folder, std::string_view refusal);

}  // namespace framefold
