// How rows are written: names without what the library adds to them, medians with their spread and
// their share of the roof.
#pragma once

#include <memory>

#include "bench/bench.h"

namespace framefold::bench {

std::unique_ptr<benchmark::BenchmarkReporter> reporter(bool json);  // of the library's own schema

}  // namespace framefold::bench
