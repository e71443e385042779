#include "kernels/tube_mask.h"

#include <algorithm>

#include "kernels/device.h"

namespace framefold {
namespace {

Index parts_of(const Stream& stream, Index batch) { return std::min<Index>(stream.threads, batch); }

Index cell_of(const TubeMask& mask, Index token) {
  const Index places = mask.grid[1] * mask.grid[2];
  switch (mask.kind) {
    case TubeMask::tube: return token % places;
    case TubeMask::random: return token;
    case TubeMask::frame: return token / places;
  }
  return token;
}

}  // namespace

Index TubeMask::cells() const {
  switch (kind) {
    case tube: return grid[1] * grid[2];
    case random: return tokens();
    case frame: return grid[0];
  }
  return 0;
}

Index TubeMask::masked() const {
  return static_cast<Index>(ratio * static_cast<double>(cells())) * (tokens() / cells());
}

void tube_mask(const Stream& stream, const TubeMask& mask, Random random, Tensor visible,
               Tensor masked, Workspace workspace, View samples) {
  if (on_device(stream))
    return device<&tube_mask>(stream, mask, random, visible, masked, workspace, samples);
  const Index cells = mask.cells();
  const Index masked_cells = mask.masked() / (mask.tokens() / cells);
  const Index batch = visible.shape[0];
  const Index parts = parts_of(stream, batch);
  auto* memory = workspace.take<std::uint64_t>(parts * 2 * cells);
  parallel_for(stream, parts, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part) {
      std::uint64_t* drawn = memory + part * 2 * cells;
      std::uint64_t* sorted = drawn + cells;
      for (Index b = batch * part / parts; b < batch * (part + 1) / parts; ++b) {
        const Index sample = samples ? Index{samples.as<std::int32_t>()[b]} : b;
        const Random own{random.seed, stream_of(random.stream, static_cast<std::uint64_t>(sample))};
        for (Index c = 0; c < cells; ++c) {
          const auto cell = static_cast<std::uint64_t>(c);
          drawn[c] = std::uint64_t{own.word(cell)} << 32 | cell;
        }
        std::copy_n(drawn, cells, sorted);
        std::nth_element(sorted, sorted + masked_cells, sorted + cells);
        std::int32_t* seen = visible.as<std::int32_t>() + b * mask.visible();
        std::int32_t* unseen = masked.as<std::int32_t>() + b * mask.masked();
        for (Index n = 0; n < mask.tokens(); ++n)
          *(drawn[cell_of(mask, n)] < sorted[masked_cells] ? unseen : seen)++ =
              static_cast<std::int32_t>(n);
      }
    }
  });
}

Bytes tube_mask_workspace(const Stream& stream, const TubeMask& mask, Index batch) {
  if (on_device(stream)) return device<&tube_mask_workspace>(stream, mask, batch);
  return Workspace::padded(static_cast<Bytes>(parts_of(stream, batch) * 2 * mask.cells()) *
                           sizeof(std::uint64_t));
}

}  // namespace framefold
