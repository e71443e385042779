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
  copies,                  // correct: cp.async of 4 and 16 bytes, zeros, two groups
  copy_not_awaited,        // read without a wait
  copy_awaited_too_early,  // a wait that leaves one group too many
  copy_not_committed,
  copy_without_barrier,  // awaited by its own thread, read by others
  copy_over_readers,     // into what others still read
  copy_source_changes,
  copy_misaligned,
  copy_past_shared,
  copy_left_behind,     // its thread leaves without waiting
  bulk,                 // correct: a bulk copy and a second one into its place
  bulk_not_awaited,     // read without a wait
  bulk_wrong_parity,    // a wait for the phase before
  bulk_other_parity,    // a wait for the phase behind
  bulk_too_many_bytes,  // expected
  bulk_too_few_bytes,
  bulk_wrong_size,
  bulk_misaligned,
  bulk_unpublished,      // no fence behind the mbarrier's making
  bulk_unfenced,         // over what threads wrote, without a fence
  bulk_over_readers,     // the second one into what threads still read
  bulk_no_barrier,       // an mbarrier used before a barrier stands behind its making
  bulk_left_behind,      // the block ends without waiting
  mbarrier_overwritten,  // by a store
  mbarrier_crowded,      // more arrivals than it counts
};

constexpr int probe_threads = 64;

// y and x hold 2 * probe_threads floats.
void run_probe(Probe probe, float* y, float* x);

}  // namespace simt
