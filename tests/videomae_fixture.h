// The files that scripts/fixtures/videomae.py writes.
#pragma once

#include <filesystem>

#include "models/model.h"

namespace framefold::test {

// What a folder's config.json says.
ModelOptions videomae_fixture(const std::filesystem::path& folder);

}  // namespace framefold::test
