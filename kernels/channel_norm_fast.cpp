// Channels are columns of the rows. Loops run over blocks of columns, whose sums and coefficients
// stay in the first-level cache; where channels are few, several rows make one wide row.
#include <numeric>

#include "kernels/channel_norm.h"
#include "kernels/partial_sums.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr Index grain = 1 << 14;     // elements below which a second thread does not pay
constexpr Index most_columns = 512;  // of a block
constexpr Index narrow = 64;         // channels below which rows are joined
constexpr Index stretch = 64;        // rows summed in f32 before they meet in f64

// Rows of `columns` neighbours, `step` apart, beginning with a channel.
struct Block {
  Index offset;
  Index rows;
  Index columns;
  Index step;
  Index channel;

  Index channel_at(Index column, const ChannelGroups& extent) const {
    return (channel + column) % extent.channels;
  }
};

template <class Body>
void for_blocks(Index rows, Index channels, Body&& body) {
  const Index joined = channels < narrow ? narrow / channels : 1;
  const Index whole = rows / joined;
  for (Index c = 0; c < channels && whole > 0; c += most_columns)
    body(Block{.offset = c,
               .rows = whole,
               .columns = std::min(most_columns, joined * channels - c),
               .step = joined * channels,
               .channel = c});
  if (whole * joined < rows)
    body(Block{.offset = whole * joined * channels,
               .rows = rows - whole * joined,
               .columns = channels,
               .step = channels,
               .channel = 0});
}

bool supported(const Stream& stream, View x) {
  return stream.wants(Path::native) && x.dtype == DType::f32;
}

// Adds up a and a b by column, where term(element, column, a, b) gives both.
template <class Term>
FRAMEFOLD_INLINE void add_terms(const Block& block, double* sum, double* product, Term term) {
  float s[most_columns];
  float p[most_columns];
  for (Index begin = 0; begin < block.rows; begin += stretch) {
    const Index end = std::min(begin + stretch, block.rows);
    for (Index c = 0; c < block.columns; ++c) s[c] = p[c] = 0;
    Index r = begin;
    for (; r + 4 <= end; r += 4)  // four rows for each time that the sums are read and written
#pragma omp simd
      for (Index c = 0; c < block.columns; ++c) {
        const Index i = r * block.step + c;
        float a0, b0, a1, b1, a2, b2, a3, b3;
        term(i, c, a0, b0);
        term(i + block.step, c, a1, b1);
        term(i + 2 * block.step, c, a2, b2);
        term(i + 3 * block.step, c, a3, b3);
        s[c] = s[c] + a0 + a1 + a2 + a3;
        p[c] = p[c] + a0 * b0 + a1 * b1 + a2 * b2 + a3 * b3;
      }
    for (; r < end; ++r)
#pragma omp simd
      for (Index c = 0; c < block.columns; ++c) {
        float a, b;
        term(r * block.step + c, c, a, b);
        s[c] += a;
        p[c] += a * b;
      }
    for (Index c = 0; c < block.columns; ++c) {
      sum[c] += static_cast<double>(s[c]);
      product[c] += static_cast<double>(p[c]);
    }
  }
}

// The sums of x - shift and of its square.
FRAMEFOLD_SIMD void add_moments(const Block& block, double* sum, double* product, const float* x,
                                const float* shift) {
  add_terms(
      block, sum,
      product, [=](Index i, Index c, float& a, float& b) __attribute__((always_inline)) {
        a = b = x[i] - shift[c];
      });
}

// The sums of dy and of dy (x - mean).
FRAMEFOLD_SIMD void add_products(const Block& block, double* sum, double* product, const float* dy,
                                 const float* x, const float* mean) {
  add_terms(
      block, sum,
      product, [=](Index i, Index c, float& a, float& b) __attribute__((always_inline)) {
        a = dy[i];
        b = x[i] - mean[c];
      });
}

FRAMEFOLD_SIMD void normalise_block(const Block& block, float* y, const float* x, const float* mean,
                                    const float* scale, const float* beta) {
  for (Index r = 0; r < block.rows; ++r, x += block.step, y += block.step)
#pragma omp simd
    for (Index c = 0; c < block.columns; ++c) y[c] = (x[c] - mean[c]) * scale[c] + beta[c];
}

// dx = a dy - b (x - mean) - d
FRAMEFOLD_SIMD void dgrad_block(const Block& block, float* dx, const float* dy, const float* x,
                                const float* mean, const float* a, const float* b, const float* d) {
  for (Index r = 0; r < block.rows; ++r, x += block.step, dx += block.step, dy += block.step)
#pragma omp simd
    for (Index c = 0; c < block.columns; ++c) dx[c] = a[c] * dy[c] - b[c] * (x[c] - mean[c]) - d[c];
}

// Gives body(sample, first row, last row, sums [2, C]) rows to add to the sums, and
// finish(sample, sums) the total of every sample.
template <class Body, class Finish>
void sum_samples(const Stream& stream, const ChannelGroups& extent, Workspace workspace,
                 Body&& body, Finish&& finish) {
  const Index width = 2 * extent.channels;
  if (extent.samples < stream.threads) {
    for (Index s = 0; s < extent.samples; ++s) {
      Workspace own = workspace;
      finish(s, partial_sums<double>(
                    stream, own, extent.rows, width,
                    [&](Index begin, Index end, double* sums) { body(s, begin, end, sums); }));
    }
    return;
  }
  double* all = workspace.take<double>(stream.threads * width);
  parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part)
      for (Index s = extent.samples * part / stream.threads;
           s < extent.samples * (part + 1) / stream.threads; ++s) {
        double* sums = all + part * width;
        std::fill_n(sums, width, 0.0);
        body(s, 0, extent.rows, sums);
        finish(s, sums);
      }
  });
}

// Sums of a block, by column, added to those of its channels.
template <class Add>
void add_block(const Block& block, const ChannelGroups& extent, double* sums, Add&& add) {
  double sum[most_columns] = {};
  double product[most_columns] = {};
  add(sum, product);
  for (Index v = 0; v < block.columns; ++v) {
    const Index c = block.channel_at(v, extent);
    sums[c] += sum[v];
    sums[extent.channels + c] += product[v];
  }
}

// Calls body(sample, first row of the sample, rows) for every thread's share of all rows.
template <class Body>
void for_rows(const Stream& stream, const ChannelGroups& extent, Body&& body) {
  parallel_for(stream, extent.samples * extent.rows, 1 + grain / extent.channels,
               [&](Index begin, Index end) {
                 while (begin < end) {
                   const Index row = begin % extent.rows;
                   const Index count = std::min(extent.rows - row, end - begin);
                   body(begin / extent.rows, begin, count);
                   begin += count;
                 }
               });
}

// Near enough to the mean that squares of x - shift lose no digits: the mean over a few rows.
void find_shifts(const Stream& stream, const ChannelGroups& extent, float* shift, const float* x) {
  const Index rows = std::min<Index>(16, 1 + extent.rows / 64);
  const Index channels = extent.channels_of_group();
  parallel_for(stream, extent.samples * extent.groups, 1 + grain / (rows * channels),
               [&](Index begin, Index end) {
                 for (Index i = begin; i < end; ++i) {
                   const float* from = x + i / extent.groups * extent.rows * extent.channels +
                                       i % extent.groups * channels;
                   float sum = 0;
                   for (Index r = 0; r < rows; ++r)
                     for (Index c = 0; c < channels; ++c)
                       sum += from[r * extent.rows / rows * extent.channels + c];
                   shift[i] = sum / static_cast<float>(rows * channels);
                 }
               });
}

}  // namespace

bool fast::channel_statistics(const Stream& stream, const ChannelGroups& extent, Tensor mean,
                              Tensor var, Workspace workspace, View x) {
  if (!supported(stream, x)) return false;
  const Index channels = extent.channels_of_group();
  const auto count = static_cast<double>(extent.rows * channels);
  float* shifts = mean.as<float>();
  find_shifts(stream, extent, shifts, x.as<float>());
  sum_samples(
      stream, extent, workspace,
      [&](Index s, Index begin, Index end, double* sums) {
        const float* from = x.as<float>() + (s * extent.rows + begin) * extent.channels;
        for_blocks(end - begin, extent.channels, [&](const Block& block) {
          float shift[most_columns];
          for (Index v = 0; v < block.columns; ++v)
            shift[v] = shifts[s * extent.groups + block.channel_at(v, extent) / channels];
          add_block(block, extent, sums, [&](double* sum, double* product) {
            add_moments(block, sum, product, from + block.offset, shift);
          });
        });
      },
      [&](Index s, const double* sums) {
        for (Index g = 0; g < extent.groups; ++g) {
          const double* first = sums + g * channels;
          const double* second = first + extent.channels;
          const double offset = std::accumulate(first, first + channels, 0.0) / count;
          const double square = std::accumulate(second, second + channels, 0.0) / count;
          const Index i = s * extent.groups + g;
          mean.as<float>()[i] = static_cast<float>(static_cast<double>(shifts[i]) + offset);
          var.as<float>()[i] = static_cast<float>(std::max(0.0, square - offset * offset));
        }
      });
  return true;
}

bool fast::channel_normalise(const Stream& stream, const ChannelGroups& extent, Tensor y, View x,
                             View mean, View rstd, View gamma, View beta) {
  if (!supported(stream, x)) return false;
  for_rows(stream, extent, [&](Index s, Index row, Index rows) {
    for_blocks(rows, extent.channels, [&](const Block& block) {
      float m[most_columns];
      float scale[most_columns];
      float shift[most_columns];
      for (Index v = 0; v < block.columns; ++v) {
        const Index c = block.channel_at(v, extent);
        const Index i = s * extent.groups + c / extent.channels_of_group();
        m[v] = mean.as<float>()[i];
        scale[v] = rstd.as<float>()[i] * gamma.as<float>()[c];
        shift[v] = beta.as<float>()[c];
      }
      const Index at = row * extent.channels + block.offset;
      normalise_block(block, y.as<float>() + at, x.as<float>() + at, m, scale, shift);
    });
  });
  return true;
}

bool fast::channel_sums(const Stream& stream, const ChannelGroups& extent, Tensor sums,
                        Workspace workspace, View dy, View x, View mean, View rstd) {
  if (!supported(stream, x)) return false;
  sum_samples(
      stream, extent, workspace,
      [&](Index s, Index begin, Index end, double* own) {
        const Index at = (s * extent.rows + begin) * extent.channels;
        for_blocks(end - begin, extent.channels, [&](const Block& block) {
          float m[most_columns];
          for (Index v = 0; v < block.columns; ++v)
            m[v] = mean.as<float>()[s * extent.groups +
                                    block.channel_at(v, extent) / extent.channels_of_group()];
          add_block(block, extent, own, [&](double* sum, double* product) {
            add_products(block, sum, product, dy.as<float>() + at + block.offset,
                         x.as<float>() + at + block.offset, m);
          });
        });
      },
      [&](Index s, const double* total) {
        float* to = sums.as<float>() + s * 2 * extent.channels;
        for (Index c = 0; c < extent.channels; ++c) {
          const Index i = s * extent.groups + c / extent.channels_of_group();
          to[c] = static_cast<float>(total[c]);
          to[extent.channels + c] =
              static_cast<float>(total[extent.channels + c]) * rstd.as<float>()[i];
        }
      });
  return true;
}

bool fast::channel_dgrad(const Stream& stream, const ChannelGroups& extent, bool through_statistics,
                         Tensor dx, View dy, View x, View mean, View rstd, View gamma, View sums) {
  if (!supported(stream, x)) return false;
  const Index channels = extent.channels_of_group();
  const float share = through_statistics ? 1.0F / static_cast<float>(extent.rows * channels) : 0.0F;
  for_rows(stream, extent, [&](Index s, Index row, Index rows) {
    const float* sum = sums.as<float>() + s * 2 * extent.channels;
    for_blocks(rows, extent.channels, [&](const Block& block) {
      float m[most_columns];
      float a[most_columns];
      float b[most_columns];
      float d[most_columns];
      Index group = -1;
      float mean_g = 0;
      float mean_gn = 0;
      for (Index v = 0; v < block.columns; ++v) {
        const Index c = block.channel_at(v, extent);
        if (group != c / channels) {
          group = c / channels;
          mean_g = mean_gn = 0;
          for (Index k = group * channels; k < (group + 1) * channels; ++k) {
            mean_g += gamma.as<float>()[k] * sum[k] * share;
            mean_gn += gamma.as<float>()[k] * sum[extent.channels + k] * share;
          }
        }
        const float r = rstd.as<float>()[s * extent.groups + group];
        m[v] = mean.as<float>()[s * extent.groups + group];
        a[v] = r * gamma.as<float>()[c];
        b[v] = r * r * mean_gn;
        d[v] = r * mean_g;
      }
      const Index at = row * extent.channels + block.offset;
      dgrad_block(block, dx.as<float>() + at, dy.as<float>() + at, x.as<float>() + at, m, a, b, d);
    });
  });
  return true;
}

}  // namespace framefold
