#pragma once

namespace framefold::bench {

// Small operations, one after the other, for callgrind to count. Prints the register tile first:
// counts of different tiles can't be compared.
void count_instructions();

}  // namespace framefold::bench
