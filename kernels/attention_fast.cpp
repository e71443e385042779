// Attention on the register tile of matrix products, block by block, so that scores live in the
// second-level cache only (Dao et al. 2022). Forward and backward share blocks, products and
// memory, so they stand together in one long file.
//
//   forward    a thread takes blocks of queries. Of every head that it meets it packs the keys into
//              panels once; block by block of keys: scores, softmax of their rows, times the
//              values.
//   backward   a thread takes blocks of keys, whose dk and dv stay in the cache while it walks over
//              the queries; dq grows in a buffer of the thread. Heads that several threads share
//              add up their dq in the threads' order.
//
// Scores are in units of log 2: queries are loaded times scale / log 2, and powers of 2 are
// cheaper. Everything is summed in f32; bf16 is widened as it is copied, and rounded once, when
// stored.
//
// Reached, forward and backward together on two threads, of the peak of the arithmetic: 75 % at
// N = 1568 and 60 % at N = 160, d = 64 (docs/performance.md).
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/attention.h"
#include "kernels/microkernel.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr Index query_block = 96;  // eight tiles of the largest kernel
constexpr Index key_block = 256;
constexpr double log2e = 1.4426950408889634;
constexpr double ln2 = 0.69314718055994531;
constexpr Index row_pad = 16;  // floats between rows of scores, against rows that evict one another

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
Index round_up(Index a, Index b) { return ceil_div(a, b) * b; }

// Blocks of nearly the same size, a multiple of `step`.
struct Blocks {
  Index total, size, count;

  Blocks(Index extent, Index most, Index step)
      : total(extent),
        size(round_up(ceil_div(extent, ceil_div(extent, most)), step)),
        count(ceil_div(extent, size)) {}
  Index begin(Index block) const { return block * size; }
  Index end(Index block) const { return std::min(total, begin(block) + size); }
};

Blocks query_blocks(Index tokens) { return {tokens, query_block, 1}; }
Blocks key_blocks(Index tokens) { return {tokens, key_block, micro_kernel().cols}; }
Index score_row() { return round_up(key_block, micro_kernel().cols) + row_pad; }

FRAMEFOLD_INLINE float widen(float x) { return x; }
FRAMEFOLD_INLINE float widen(bf16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

template <class T>
FRAMEFOLD_INLINE void load(float* to, const T* from, Index step, Index rows, Index depth,
                           float factor) {
  for (Index r = 0; r < rows; ++r, from += step, to += depth)
    for (Index c = 0; c < depth; ++c) to[c] = factor * widen(from[c]);
}
FRAMEFOLD_SIMD void load_rows(float* to, const float* from, Index step, Index rows, Index depth,
                              float factor) {
  load(to, from, step, rows, depth, factor);
}
FRAMEFOLD_SIMD void load_rows(float* to, const bf16* from, Index step, Index rows, Index depth,
                              float factor) {
  load(to, from, step, rows, depth, factor);
}

template <class T>
FRAMEFOLD_INLINE void store(T* to, Index step, const float* from, Index rows, Index depth,
                            float factor) {
  for (Index r = 0; r < rows; ++r, from += depth, to += step)
    for (Index c = 0; c < depth; ++c) to[c] = T(factor * from[c]);
}
FRAMEFOLD_SIMD void store_rows(float* to, Index step, const float* from, Index rows, Index depth,
                               float factor) {
  store(to, step, from, rows, depth, factor);
}
FRAMEFOLD_SIMD void store_rows(bf16* to, Index step, const float* from, Index rows, Index depth,
                               float factor) {
  store(to, step, from, rows, depth, factor);
}

template <class T>
void clear_rows(T* to, Index step, Index rows, Index depth) {
  for (Index r = 0; r < rows; ++r) std::fill_n(to + r * step, depth, T(0.0F));
}

// sums[r] = a[r] . b[r]
template <class T>
FRAMEFOLD_INLINE void dot(float* sums, const float* a, const T* b, Index step, Index rows,
                          Index depth) {
  for (Index r = 0; r < rows; ++r, a += depth, b += step) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index c = 0; c < depth; ++c) sum += a[c] * widen(b[c]);
    sums[r] = sum;
  }
}
FRAMEFOLD_SIMD void dot_rows(float* sums, const float* a, const float* b, Index step, Index rows,
                             Index depth) {
  dot(sums, a, b, step, rows, depth);
}
FRAMEFOLD_SIMD void dot_rows(float* sums, const float* a, const bf16* b, Index step, Index rows,
                             Index depth) {
  dot(sums, a, b, step, rows, depth);
}

// C [rows, cols] (+)= A B. A's element (i, k) is a[i * a_row + k * a_col]; the columns of B from
// p * kernel.cols on start at b + p * panel, their rows b_step apart.
struct Factors {
  const float* a;
  Index a_row, a_col;
  const float* b;
  Index b_step, panel;
};

void multiply(float* c, Index ldc, Index rows, Index cols, Index depth, const Factors& f,
              bool accumulate) {
  const MicroKernel& kernel = micro_kernel();
  const Index tiles = ceil_div(rows, kernel.rows);
  std::array<const float*, micro_rows_max> a;
  for (Index n = 0; n < cols; n += kernel.cols) {
    const float* b = f.b + n / kernel.cols * f.panel;
    for (Index tile = 0; tile < tiles; ++tile) {
      const Index begin = rows * tile / tiles;
      const Index height = rows * (tile + 1) / tiles - begin;
      for (Index i = 0; i < height; ++i)
        a[static_cast<std::size_t>(i)] = f.a + (begin + i) * f.a_row;
      kernel.run(static_cast<int>(height), static_cast<int>(std::min<Index>(kernel.cols, cols - n)),
                 {.a = a.data(),
                  .b = &b,
                  .depth = depth,
                  .a_step = f.a_col,
                  .b_step = f.b_step,
                  .c = c + begin * ldc + n,
                  .ldc = ldc,
                  .accumulate = accumulate});
    }
  }
}

// C = A B^T for B in packed panels. Whole panels are computed: C's rows have room.
void multiply_packed(float* c, Index ldc, Index rows, Index cols, Index depth, const float* a,
                     const float* packed) {
  const Index width = micro_kernel().cols;
  multiply(c, ldc, rows, round_up(cols, width), depth, {a, depth, 1, packed, width, depth * width},
           false);
}

// Row r sees the first seen + grows * r columns of a block.
struct Window {
  Index cols, seen, grows;

  Window(bool causal, Index first_query, Index first_key, Index width)
      : cols(width), seen(causal ? first_query - first_key + 1 : width), grows(causal ? 1 : 0) {}
};

FRAMEFOLD_INLINE Index seen_by(const Window& window, Index row) {
  const Index seen = window.seen + window.grows * row;
  return seen < 0 ? 0 : (seen > window.cols ? window.cols : seen);
}

// 2^x for -125 <= x <= 126, below 2^-125: a polynomial, relative error below 2e-7.
FRAMEFOLD_INLINE float exp2_below(float x) {
  const float clamped = x < -125.0F ? -125.0F : x;
  const float shifted = clamped + 12582912.0F;
  const float r = clamped - (shifted - 12582912.0F);
  float p = 1.32647273e-3F;
  p = p * r + 9.67151299e-3F;
  p = p * r + 5.55073358e-2F;
  p = p * r + 2.40222424e-1F;
  p = p * r + 6.93147004e-1F;
  p = p * r + 1.0F;
  return p * std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) << 23) +
                                  std::bit_cast<std::uint32_t>(1.0F));
}

// Scores become 2^(s - most) where `most` and `sum` of a row go on from earlier blocks, whose
// results in out [rows, depth] shrink accordingly. Maxima come first, all of them: no row's powers
// wait for its own.
FRAMEFOLD_SIMD void soften(float* scores, Index step, Index rows, const Window& window, float* most,
                           float* sum, float* out, Index depth, bool first) {
  float* row = scores;
  float* larger = most + query_block;
  for (Index r = 0; r < rows; ++r, row += step) {
    const Index seen = seen_by(window, r);
    float largest = most[r];
#pragma omp simd reduction(max : largest)
    for (Index c = 0; c < seen; ++c) largest = row[c] > largest ? row[c] : largest;
    larger[r] = largest;
  }
  row = scores;
  for (Index r = 0; r < rows; ++r, row += step) {
    const Index seen = seen_by(window, r);
    const float largest = larger[r];
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (Index c = 0; c < seen; ++c) {
      const float e = exp2_below(row[c] - largest);
      row[c] = e;
      total += e;
    }
    for (Index c = seen; c < window.cols; ++c) row[c] = 0;
    const float shrink = first ? 0.0F : exp2_below(most[r] - largest);
    sum[r] = first ? total : sum[r] * shrink + total;
    most[r] = largest;
    if (!first && shrink != 1.0F)
      for (Index c = 0; c < depth; ++c) out[r * depth + c] *= shrink;
  }
}

// Scores become p = 2^(s - lse / log 2), `slopes` (dy . v) become p (slope - delta).
FRAMEFOLD_SIMD void differentiate(float* scores, float* slopes, Index step, Index rows,
                                  const Window& window, const float* lse, const float* delta) {
  for (Index r = 0; r < rows; ++r, scores += step, slopes += step) {
    const Index seen = seen_by(window, r);
    const float base = static_cast<float>(log2e) * lse[r];
    const float mean = delta[r];
#pragma omp simd
    for (Index c = 0; c < seen; ++c) {
      const float p = exp2_below(scores[c] - base);
      scores[c] = p;
      slopes[c] = p * (slopes[c] - mean);
    }
    for (Index c = seen; c < window.cols; ++c) scores[c] = slopes[c] = 0;
  }
}

// Hands out a thread's floats, or counts them where there are none yet.
class Floats {
 public:
  explicit Floats(float* memory) : memory_(memory) {}
  float* take(Index count) {
    float* piece = memory_ ? memory_ + taken_ : nullptr;
    taken_ += round_up(count, 16);
    return piece;
  }
  Index taken() const { return taken_; }

 private:
  float* memory_;
  Index taken_ = 0;
};

struct ForwardMemory {
  float *keys, *values;        // of the head: panels [d, N], rows [N, d]
  float *q, *out;              // of the block of queries [block, d]
  float *scores, *most, *sum;  // most: two for each query, as earlier blocks left it and now

  Index lay(float* memory, const AttentionShape& s) {
    Floats floats(memory);
    keys = floats.take(packed_size(s.depth, s.tokens));
    values = floats.take(s.tokens * s.depth);
    q = floats.take(query_block * s.depth);
    out = floats.take(query_block * s.depth);
    scores = floats.take(query_block * score_row());
    most = floats.take(2 * query_block);
    sum = floats.take(query_block);
    return floats.taken();
  }
};

struct BackwardMemory {
  std::array<float*, 2> dq;  // of the thread's first head, and of the others
  float *q, *dy, *delta;     // of the head: rows [N, d], dy . y
  float *keys, *values;      // of the block of keys: panels
  float *k, *dk, *dv;        // of the block of keys: rows [block, d]
  float *scores, *slopes;

  Index lay(float* memory, const AttentionShape& s) {
    Floats floats(memory);
    const Index block = key_blocks(s.tokens).size;
    for (float*& slot : dq) slot = floats.take(s.tokens * s.depth);
    q = floats.take(s.tokens * s.depth);
    dy = floats.take(s.tokens * s.depth);
    delta = floats.take(s.tokens);
    keys = floats.take(packed_size(s.depth, block));
    values = floats.take(packed_size(s.depth, block));
    k = floats.take(block * s.depth);
    dk = floats.take(block * s.depth);
    dv = floats.take(block * s.depth);
    scores = floats.take(query_block * score_row());
    slopes = floats.take(query_block * score_row());
    return floats.taken();
  }
};

template <class Memory>
Index floats_of(const AttentionShape& s) {
  return Memory().lay(nullptr, s);
}

// Units of work in the order of heads, shared among the threads in pieces of the same number.
struct Shares {
  Index per_head, units, parts;

  Shares(const Stream& stream, const AttentionShape& s, const Blocks& blocks)
      : per_head(blocks.count),
        units(s.batch * s.heads * blocks.count),
        parts(std::min<Index>(stream.threads, units)) {}
  Index begin(Index part) const { return units * part / parts; }
  Index first_head(Index part) const { return begin(part) / per_head; }
  bool whole(Index part, Index head) const {
    return begin(part) <= head * per_head && (head + 1) * per_head <= begin(part + 1);
  }
};

template <class T>
struct Call {
  AttentionShape s;
  bool causal;
  const T* qkv;
  View lengths;

  Index length(Index head) const { return length_of(lengths, head / s.heads, s.tokens); }
  Index query(Index head) const { return s.query(head / s.heads, head % s.heads); }
  Index key(Index head) const { return s.key(head / s.heads, head % s.heads); }
  Index value(Index head) const { return s.value(head / s.heads, head % s.heads); }
  Index out(Index head) const { return s.out(head / s.heads, head % s.heads); }
};

// One block of queries of a head whose keys and values are in memory.
template <class T>
void forward_block(const Call<T>& call, const ForwardMemory& m, Index head, Index begin, Index end,
                   T* y, float* lse) {
  const AttentionShape& s = call.s;
  const Index length = call.length(head);
  const Index rows = std::clamp<Index>(length - begin, 0, end - begin);
  const Blocks blocks = key_blocks(s.tokens);
  T* to = y + call.out(head) + begin * s.out_row;
  float* row_lse = lse + head * s.tokens + begin;
  clear_rows(to + rows * s.out_row, s.out_row, end - begin - rows, s.depth);
  std::fill(row_lse + rows, row_lse + (end - begin), 0.0F);
  if (rows == 0) return;

  load_rows(m.q, call.qkv + call.query(head) + begin * s.row, s.row, rows, s.depth,
            static_cast<float>(s.scale * log2e));
  std::fill_n(m.most, rows, -std::numeric_limits<float>::infinity());
  const Index last_key = call.causal ? begin + rows : length;
  for (Index j = 0; j < last_key; j += blocks.size) {
    const Index width = std::min(blocks.size, length - j);
    multiply_packed(m.scores, score_row(), rows, width, s.depth, m.q, m.keys + j * s.depth);
    soften(m.scores, score_row(), rows, {call.causal, begin, j, width}, m.most, m.sum, m.out,
           s.depth, j == 0);
    multiply(m.out, s.depth, rows, s.depth, width,
             {m.scores, score_row(), 1, m.values + j * s.depth, s.depth, micro_kernel().cols},
             j > 0);
  }
  for (Index r = 0; r < rows; ++r) {
    store_rows(to + r * s.out_row, s.out_row, m.out + r * s.depth, 1, s.depth, 1 / m.sum[r]);
    row_lse[r] = static_cast<float>(ln2) * m.most[r] + std::log(m.sum[r]);
  }
}

template <class T>
void forward(const Stream& stream, const Call<T>& call, T* y, float* lse, Workspace workspace) {
  const AttentionShape& s = call.s;
  const Blocks blocks = query_blocks(s.tokens);
  const Shares shares(stream, s, blocks);
  const Index each = floats_of<ForwardMemory>(s);
  float* memory = workspace.take<float>(shares.parts * each);
  parallel_for(stream, shares.parts, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part) {
      ForwardMemory m;
      m.lay(memory + part * each, s);
      for (Index unit = shares.begin(part); unit < shares.begin(part + 1); ++unit) {
        const Index head = unit / blocks.count;
        if (unit == shares.begin(part) || unit % blocks.count == 0) {
          const Index length = call.length(head);
          load_rows(m.values, call.qkv + call.key(head), s.row, length, s.depth, 1);
          pack_panels(m.keys, m.values, s.depth, true, s.depth, length, 0, panel_count(length));
          load_rows(m.values, call.qkv + call.value(head), s.row, length, s.depth, 1);
        }
        const Index block = unit % blocks.count;
        forward_block(call, m, head, blocks.begin(block), blocks.end(block), y, lse);
      }
    }
  });
}

template <class T>
struct Gradients {
  const T *y, *dy;
  const float* lse;
  T* dqkv;
};

template <class T>
void begin_head(const Call<T>& call, const BackwardMemory& m, Index head, const Gradients<T>& g,
                float* dq) {
  const AttentionShape& s = call.s;
  const Index length = call.length(head);
  load_rows(m.q, call.qkv + call.query(head), s.row, length, s.depth,
            static_cast<float>(s.scale * log2e));
  load_rows(m.dy, g.dy + call.out(head), s.out_row, length, s.depth, 1);
  dot_rows(m.delta, m.dy, g.y + call.out(head), s.out_row, length, s.depth);
  std::fill_n(dq, length * s.depth, 0.0F);
}

// One block of keys of a head that is in memory.
template <class T>
void backward_block(const Call<T>& call, const BackwardMemory& m, Index head, Index begin,
                    Index end, const Gradients<T>& g, float* dq) {
  const AttentionShape& s = call.s;
  const Index length = call.length(head);
  const Index width = std::clamp<Index>(length - begin, 0, end - begin);
  const Index step = micro_kernel().cols;
  const Index ld = score_row();
  T* dk = g.dqkv + call.key(head) + begin * s.row;
  T* dv = g.dqkv + call.value(head) + begin * s.row;
  for (T* to : {dk, dv}) clear_rows(to + width * s.row, s.row, end - begin - width, s.depth);
  if (width == 0) return;

  load_rows(m.k, call.qkv + call.value(head) + begin * s.row, s.row, width, s.depth, 1);
  pack_panels(m.values, m.k, s.depth, true, s.depth, width, 0, panel_count(width));
  load_rows(m.k, call.qkv + call.key(head) + begin * s.row, s.row, width, s.depth, 1);
  pack_panels(m.keys, m.k, s.depth, true, s.depth, width, 0, panel_count(width));

  const Blocks blocks = query_blocks(length);
  const Index first = call.causal ? begin / blocks.size : 0;
  for (Index block = first; block < blocks.count; ++block) {
    const Index i = blocks.begin(block);
    const Index rows = blocks.end(block) - i;
    const float* q = m.q + i * s.depth;
    const float* dy = m.dy + i * s.depth;
    multiply_packed(m.scores, ld, rows, width, s.depth, q, m.keys);
    multiply_packed(m.slopes, ld, rows, width, s.depth, dy, m.values);
    differentiate(m.scores, m.slopes, ld, rows, {call.causal, i, begin, width},
                  g.lse + head * s.tokens + i, m.delta + i);
    multiply(m.dv, s.depth, width, s.depth, rows, {m.scores, 1, ld, dy, s.depth, step},
             block > first);
    multiply(m.dk, s.depth, width, s.depth, rows, {m.slopes, 1, ld, q, s.depth, step},
             block > first);
    multiply(dq + i * s.depth, s.depth, rows, s.depth, width, {m.slopes, ld, 1, m.k, s.depth, step},
             true);
  }
  store_rows(dk, s.row, m.dk, width, s.depth, static_cast<float>(ln2));
  store_rows(dv, s.row, m.dv, width, s.depth, 1);
}

template <class T>
void end_head(const Call<T>& call, Index head, const float* dq, T* dqkv) {
  const AttentionShape& s = call.s;
  const Index length = call.length(head);
  T* to = dqkv + call.query(head);
  store_rows(to, s.row, dq, length, s.depth, static_cast<float>(s.scale));
  clear_rows(to + length * s.row, s.row, s.tokens - length, s.depth);
}

template <class T>
void backward(const Stream& stream, const Call<T>& call, const Gradients<T>& g,
              Workspace workspace) {
  const AttentionShape& s = call.s;
  const Blocks blocks = key_blocks(s.tokens);
  const Shares shares(stream, s, blocks);
  const Index each = floats_of<BackwardMemory>(s);
  float* memory = workspace.take<float>(shares.parts * each);
  const auto memory_of = [&](Index part) {
    BackwardMemory m;
    m.lay(memory + part * each, s);
    return m;
  };
  const auto slot = [&](Index part, Index head) {
    return memory_of(part).dq[head == shares.first_head(part) ? 0 : 1];
  };
  parallel_for(stream, shares.parts, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part) {
      const BackwardMemory m = memory_of(part);
      for (Index unit = shares.begin(part); unit < shares.begin(part + 1); ++unit) {
        const Index head = unit / blocks.count;
        const Index block = unit % blocks.count;
        float* dq = slot(part, head);
        if (unit == shares.begin(part) || block == 0) begin_head(call, m, head, g, dq);
        backward_block(call, m, head, blocks.begin(block), blocks.end(block), g, dq);
        if (block + 1 == blocks.count && shares.whole(part, head)) end_head(call, head, dq, g.dqkv);
      }
    }
  });
  // Heads that several threads share: the first of them holds the sum.
  for (Index part = 0; part + 1 < shares.parts; ++part) {
    const Index head = (shares.begin(part + 1) - 1) / shares.per_head;
    const bool begins = shares.begin(part) <= head * shares.per_head;
    if (shares.whole(part, head) || !begins) continue;
    float* sum = slot(part, head);
    for (Index other = part + 1;
         other < shares.parts && shares.begin(other) < (head + 1) * shares.per_head; ++other) {
      const float* more = slot(other, head);
      parallel_for(stream, call.length(head) * s.depth, 16384, [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) sum[i] += more[i];
      });
    }
    end_head(call, head, sum, g.dqkv);
  }
}

bool supported(const Stream& stream, DType type) {
  return stream.wants(Path::native) && type != DType::f64;
}

template <class F>
void for_narrow(DType type, F&& f) {
  type == DType::f32 ? f(float{}) : f(bf16{});
}

template <class Memory>
Bytes workspace_of(const Stream& stream, const AttentionShape& s, const Blocks& blocks) {
  return Workspace::padded(
      static_cast<Bytes>(Shares(stream, s, blocks).parts * floats_of<Memory>(s)) * sizeof(float));
}

}  // namespace

bool fast::attention_forward(const Stream& stream, const Attention& attention, Tensor y, Tensor lse,
                             Workspace workspace, View qkv, View lengths) {
  if (!supported(stream, qkv.dtype)) return false;
  for_narrow(qkv.dtype, [&]<class T>(T) {
    forward<T>(stream, {{attention, qkv.shape}, attention.causal, qkv.as<T>(), lengths}, y.as<T>(),
               lse.as<float>(), workspace);
  });
  return true;
}

Bytes fast::attention_forward_workspace(const Stream& stream, const Attention& attention,
                                        const TensorType& qkv) {
  if (!supported(stream, qkv.dtype)) return 0;
  const AttentionShape s(attention, qkv.shape);
  return workspace_of<ForwardMemory>(stream, s, query_blocks(s.tokens));
}

bool fast::attention_dgrad(const Stream& stream, const Attention& attention, Tensor dqkv,
                           Workspace workspace, View dy, View qkv, View y, View lse, View lengths) {
  if (!supported(stream, qkv.dtype)) return false;
  for_narrow(qkv.dtype, [&]<class T>(T) {
    backward<T>(stream, {{attention, qkv.shape}, attention.causal, qkv.as<T>(), lengths},
                {y.as<T>(), dy.as<T>(), lse.as<float>(), dqkv.as<T>()}, workspace);
  });
  return true;
}

Bytes fast::attention_dgrad_workspace(const Stream& stream, const Attention& attention,
                                      const TensorType& qkv) {
  if (!supported(stream, qkv.dtype)) return 0;
  const AttentionShape s(attention, qkv.shape);
  return workspace_of<BackwardMemory>(stream, s, key_blocks(s.tokens));
}

}  // namespace framefold
