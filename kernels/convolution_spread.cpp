// Few channels written would leave most of a vector empty. Here the columns are channels times taps
// along W: each line of sources is multiplied once, and what its taps make is then added up where
// it belongs, in a line buffer that starts as the bias.
//
//   for each thread's share of lines written:
//     products [source of the line][tap of W, channel], summed over taps of T and H and channels
//     line[step * source + tap][channel] += products
#include <algorithm>

#include "kernels/convolution_fast.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr Index max_segments = 64;
constexpr Index lanes = 16;  // products of a source are padded to whole vectors

struct Layout {
  Index products;  // floats of a source's products
  Index step;      // line floats from one source to the next
  Index lead;      // line floats in front of the first source's
  Index begin;     // line floats in front of the first that is written out
  Index line;      // floats of the line buffer

  explicit Layout(const ConvolutionJob& job) {
    const Index taps = job.c.kernel[2];
    const Index padding = job.c.padding[2];
    // Position of a source's first tap relative to the first written: on the coarse side the taps
    // run backwards.
    const Index first = job.to_fine ? -padding : padding - taps + 1;
    products = ceil_div(taps * job.cols, lanes) * lanes;
    step = (job.to_fine ? job.c.stride[2] : 1) * job.cols;
    lead = std::max<Index>(0, first) * job.cols;
    begin = std::max<Index>(0, -first) * job.cols;
    line = std::max(lead + (job.sources()[2] - 1) * step + products,
                    begin + job.extents()[2] * job.cols);
  }
};

// Sources whose products overlap are so far apart that no addition waits for the one before.
FRAMEFOLD_SIMD void overlap(float* line, const float* products, Index sources, Index step,
                            Index width) {
  const Index apart = (width + step - 1) / step;
  for (Index first = 0; first < apart; ++first)
    for (Index i = first; i < sources; i += apart)
      for (Index at = 0; at < width; at += lanes)
        for (Index e = at; e < at + lanes; ++e) line[i * step + e] += products[i * width + e];
}

class Spread {
 public:
  Spread(const ConvolutionJob& job, const Layout& layout, const float* weights,
         const float* bias_line, float* own)
      : job_(job),
        layout_(layout),
        weights_(weights),
        bias_line_(bias_line),
        line_(own),
        products_(own + layout.line) {}

  // The part's share of the lines of one phase along T and H.
  void run(const GatherAxis& t, const GatherAxis& h, Index part, Index parts) {
    const Extents& from = job_.sources();
    const Extents& to = job_.extents();
    const Index lines = job_.c.batch * t.count * h.count;
    for (Index n = lines * part / parts; n < lines * (part + 1) / parts; ++n) {
      const Index jh = n % h.count;
      const Index jt = n / h.count % t.count;
      const Index b = n / h.count / t.count;
      used_ = 0;
      filled_ = false;
      for (Index mt = 0; mt < t.taps; ++mt)
        for (Index mh = 0; mh < h.taps; ++mh) {
          const Index st = t.source(jt, mt);
          const Index sh = h.source(jh, mh);
          if (st < 0 || st >= t.extent || sh < 0 || sh >= h.extent) continue;
          const Index tap = t.tap_of(mt) * job_.c.kernel[1] + h.tap_of(mh);
          b_[static_cast<std::size_t>(used_)] = weights_ + tap * job_.depth * layout_.products;
          at_[static_cast<std::size_t>(used_)] = {
              0, ((b * from[0] + st) * from[1] + sh) * from[2] * job_.source_channels};
          if (++used_ == max_segments) multiply();
        }
      if (used_ > 0 || !filled_) multiply();

      std::copy_n(bias_line_, layout_.line, line_);
      overlap(line_ + layout_.lead, products_, from[2], layout_.step, layout_.products);
      float* out =
          job_.out + ((b * to[0] + t.first + t.step * jt) * to[1] + h.first + h.step * jh) * to[2] *
                         job_.channels;
      std::copy_n(line_ + layout_.begin, to[2] * job_.channels, out);
      activate_tile(job_.c.activation, out, 0, 1, to[2] * job_.channels);
    }
  }

 private:
  // Adds the segments at hand to the products.
  void multiply() {
    const MicroKernel& kernel = micro_kernel();
    const Index width = job_.sources()[2];
    const Index tiles = ceil_div(width, kernel.rows);
    for (Index col = 0; col < layout_.products; col += kernel.cols) {
      const Index cols = std::min<Index>(kernel.cols, layout_.products - col);
      for (Index tile = 0; tile < tiles; ++tile) {
        const Index begin = width * tile / tiles;
        const Index rows = width * (tile + 1) / tiles - begin;
        std::array<const float*, micro_rows_max> a;
        for (Index i = 0; i < rows; ++i)
          a[static_cast<std::size_t>(i)] = job_.source + (begin + i) * job_.source_channels;
        kernel.run(static_cast<int>(rows), static_cast<int>(cols),
                   {.a = a.data(),
                    .at = at_.data(),
                    .b = b_.data(),
                    .segments = used_,
                    .depth = job_.depth,
                    .b_step = layout_.products,
                    .c = products_ + begin * layout_.products + col,
                    .ldc = layout_.products,
                    .accumulate = filled_});
      }
      for (Index s = 0; s < used_; ++s) b_[static_cast<std::size_t>(s)] += kernel.cols;
    }
    filled_ = true;
    used_ = 0;
  }

  const ConvolutionJob& job_;
  const Layout& layout_;
  const float* weights_;
  const float* bias_line_;
  float* line_;
  float* products_;
  Index used_ = 0;
  bool filled_ = false;  // whether the products hold a sum to add to
  std::array<MicroRows, max_segments> at_;
  std::array<const float*, max_segments> b_;
};

// [tap of T and H][channel read][tap of W, channel written], zeros behind.
void pack(const Stream& stream, const ConvolutionJob& job, Index products, float* packed) {
  const Convolution& c = job.c;
  const Index taps = c.kernel[2];
  parallel_for(stream, c.kernel[0] * c.kernel[1], 1, [&](Index begin, Index end) {
    for (Index line = begin; line < end; ++line)
      for (Index d = 0; d < job.depth; ++d) {
        float* to = packed + (line * job.depth + d) * products;
        for (Index k = 0; k < taps; ++k) {
          const Index tap = line * taps + (job.to_fine ? k : taps - 1 - k);
          const float* from = job.weight + tap * c.fine_channels * c.coarse_channels;
          for (Index n = 0; n < job.cols; ++n)
            to[k * job.cols + n] =
                job.to_fine ? from[n * c.coarse_channels + d] : from[d * c.coarse_channels + n];
        }
        std::fill(to + taps * job.cols, to + products, 0.0F);
      }
  });
}

Index packed_floats(const ConvolutionJob& job, const Layout& layout) {
  return job.c.kernel[0] * job.c.kernel[1] * job.depth * layout.products;
}

// A thread's line and products, in whole cache lines.
Index own_floats(const ConvolutionJob& job, const Layout& layout) {
  return ceil_div(layout.line + job.sources()[2] * layout.products, lanes) * lanes;
}

}  // namespace

bool spreads(const ConvolutionJob& job) {
  const Convolution& c = job.c;
  if (c.groups > 1 || c.dilation[2] > 1 || (!job.to_fine && c.stride[2] > 1)) return false;
  const auto vectors = [](Index channels) { return ceil_div(channels, lanes); };
  return 4 * vectors(c.kernel[2] * job.cols) <= 3 * c.kernel[2] * vectors(job.cols);
}

Index spread_workspace(const Stream& stream, const ConvolutionJob& job) {
  const Layout layout(job);
  return packed_floats(job, layout) + layout.line + stream.threads * own_floats(job, layout);
}

void spread(const Stream& stream, const ConvolutionJob& job, float* workspace) {
  const Layout layout(job);
  float* packed = workspace;
  float* bias_line = packed + packed_floats(job, layout);
  float* own = bias_line + layout.line;
  pack(stream, job, layout.products, packed);
  for (Index e = 0; e < layout.line; ++e) bias_line[e] = job.bias ? job.bias[e % job.cols] : 0.0F;
  parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part) {
      Spread mine(job, layout, packed, bias_line, own + part * own_floats(job, layout));
      for (Index t = 0; t < job.phases(0); ++t)
        for (Index h = 0; h < job.phases(1); ++h)
          mine.run(job.axis(0, t), job.axis(1, h), part, stream.threads);
    }
  });
}

}  // namespace framefold
