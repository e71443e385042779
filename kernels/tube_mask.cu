#include "kernels/tube_mask.cuh"

#include "kernels/device/pack.cuh"

namespace framefold {
namespace gpu {
namespace {

void tube_mask(const Stream& stream, const TubeMask& mask, Random random, Tensor visible,
               Tensor masked, Workspace workspace, View samples) {
  const Index batch = visible.shape[0];
  if (batch == 0) return;
  const Index cells = mask.cells();
  const MaskExtent extent{.kind = mask.kind,
                          .places = mask.grid[1] * mask.grid[2],
                          .tokens = mask.tokens(),
                          .cells = cells,
                          .masked_cells = mask.masked() / (mask.tokens() / cells),
                          .masked = mask.masked()};
  launch<&draw_masks>(stream, {{blocks_of(batch)}, {voters}}, extent, random,
                      visible.as<std::int32_t>(), masked.as<std::int32_t>(),
                      workspace.take<std::uint64_t>(batch * cells),
                      samples ? samples.as<std::int32_t>() : nullptr);
}

Bytes tube_mask_workspace(const Stream&, const TubeMask& mask, Index batch) {
  return Workspace::padded(static_cast<Bytes>(batch * mask.cells()) * sizeof(std::uint64_t));
}

const OnDevice<&framefold::tube_mask> path(tube_mask);
const OnDevice<&framefold::tube_mask_workspace> workspace_path(tube_mask_workspace);

}  // namespace
}  // namespace gpu
}  // namespace framefold
