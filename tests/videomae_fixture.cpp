#include "tests/videomae_fixture.h"

#include "cli/videomae_config.h"

namespace framefold::test {

ModelOptions videomae_fixture(const std::filesystem::path& folder) {
  return read_videomae_config(folder / "config.json").model;
}

}  // namespace framefold::test
