// Small kernels that keep or break one rule each, for the runtime's own tests.
#pragma once

namespace simt {

enum class Probe {
  sum_of_block,             // correct: static shared memory, shuffles and barriers
  reverse_dynamic,          // correct: dynamic shared memory
  exchange_in_warp,         // correct: shared memory between __syncwarp
  vote,                     // correct
  missing_barrier,          // written, then read by another thread
  missing_syncwarp,         // the same inside a warp
  overwritten_too_early,    // read, then written by another thread
  blocks_share_a_result,    // two blocks write one element
  block_reads_a_neighbour,  // one block reads what another writes
  past_shared,              // one element behind a shared array
  past_dynamic,
  past_buffer,     // one element behind a buffer
  before_buffer,   // one element before it
  unwritten,       // reads shared memory that nobody wrote
  misaligned,      // 16 bytes at a multiple of 4
  half_a_barrier,  // only half of the threads arrive
  two_barriers,    // threads wait in different ones
  left_early,      // a thread leaves, the others wait
  missing_lane,    // a lane skips a shuffle
  partial_mask,
  no_blocks,
};

constexpr int probe_threads = 64;

// y and x hold 2 * probe_threads floats.
void run_probe(Probe probe, float* y, const float* x);

}  // namespace simt
