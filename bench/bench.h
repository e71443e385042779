// What the benchmarks share.
#pragma once

namespace framefold::bench {

int threads();  // all of the machine's

}  // namespace framefold::bench
