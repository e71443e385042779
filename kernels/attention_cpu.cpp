#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/device.h"
#include "kernels/error.h"

namespace framefold {
namespace {

constexpr Index block = 64;  // channels summed at once

// One head of one sample.
template <class T>
struct Head {
  using A = Accumulator<T>;

  const T *q, *k, *v, *y, *dy;
  const A* lse;
  Index length, depth, row, out_row;
  A scale;
  bool causal;

  Index first_query(Index j) const { return causal ? j : 0; }
  Index last_key(Index i) const { return causal ? i + 1 : length; }
  A dot(const T* a, const T* b) const {
    A sum = 0;
    for (Index c = 0; c < depth; ++c) sum += static_cast<A>(a[c]) * static_cast<A>(b[c]);
    return sum;
  }
  A score(Index i, Index j) const { return scale * dot(q + i * row, k + j * row); }
  A probability(Index i, Index j) const { return std::exp(score(i, j) - lse[i]); }
  A dscore(Index i, Index j) const {
    const T* gradient = dy + i * out_row;
    return scale * probability(i, j) *
           (dot(gradient, v + j * row) - dot(gradient, y + i * out_row));
  }
};

// Head h of sample b, forward: without y and dy.
template <class T>
Head<T> head_at(const AttentionShape& s, bool causal, const T* qkv, const Accumulator<T>* lse,
                View lengths, Index b, Index h) {
  return {.q = qkv + s.query(b, h),
          .k = qkv + s.key(b, h),
          .v = qkv + s.value(b, h),
          .y = nullptr,
          .dy = nullptr,
          .lse = lse,
          .length = length_of(lengths, b, s.tokens),
          .depth = s.depth,
          .row = s.row,
          .out_row = s.out_row,
          .scale = static_cast<Accumulator<T>>(s.scale),
          .causal = causal};
}

// to[c] = sum over n in [begin, end) of weight(n) * from[n * step + c]
template <class A, class T, class Weight>
void weighted_sum(T* to, const T* from, Index step, Index depth, Index begin, Index end,
                  Weight&& weight) {
  for (Index c0 = 0; c0 < depth; c0 += block) {
    const Index count = std::min(block, depth - c0);
    A sum[block] = {};
    for (Index n = begin; n < end; ++n) {
      const A w = weight(n);
      for (Index c = 0; c < count; ++c) sum[c] += w * static_cast<A>(from[n * step + c0 + c]);
    }
    for (Index c = 0; c < count; ++c) to[c0 + c] = T(sum[c]);
  }
}

// Calls body(b, h, n) for every head of every token.
template <class Body>
void for_rows(const Stream& stream, const AttentionShape& s, Body&& body) {
  parallel_for(stream, s.batch * s.heads * s.tokens, 1, [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at)
      body(at / s.tokens / s.heads, at / s.tokens % s.heads, at % s.tokens);
  });
}

template <class T>
void forward(const Stream& stream, const AttentionShape& s, bool causal, T* y, Accumulator<T>* lse,
             const T* qkv, View lengths) {
  using A = Accumulator<T>;
  for_rows(stream, s, [&](Index b, Index h, Index i) {
    A* row_lse = lse + (b * s.heads + h) * s.tokens;
    T* to = y + s.out(b, h) + i * s.out_row;
    const Head<T> head = head_at(s, causal, qkv, row_lse, lengths, b, h);
    if (i >= head.length) {
      std::fill_n(to, s.depth, T(0.0F));
      row_lse[i] = 0;
      return;
    }
    A most = -std::numeric_limits<A>::infinity();
    A sum = 0;
    for (Index j = 0; j < head.last_key(i); ++j) {
      const A score = head.score(i, j);
      const A larger = std::max(most, score);
      sum = sum * std::exp(most - larger) + std::exp(score - larger);
      most = larger;
    }
    row_lse[i] = most + std::log(sum);
    weighted_sum<A>(to, head.v, s.row, s.depth, 0, head.last_key(i),
                    [&](Index j) { return std::exp(head.score(i, j) - most) / sum; });
  });
}

template <class T>
void dgrad(const Stream& stream, const AttentionShape& s, bool causal, T* dqkv, const T* dy,
           const T* qkv, const T* y, const Accumulator<T>* lse, View lengths) {
  using A = Accumulator<T>;
  for_rows(stream, s, [&](Index b, Index h, Index n) {
    Head<T> head = head_at(s, causal, qkv, lse + (b * s.heads + h) * s.tokens, lengths, b, h);
    head.y = y + s.out(b, h);
    head.dy = dy + s.out(b, h);
    T* dq = dqkv + s.query(b, h) + n * s.row;
    T* dk = dqkv + s.key(b, h) + n * s.row;
    T* dv = dqkv + s.value(b, h) + n * s.row;
    if (n >= head.length) {
      for (T* to : {dq, dk, dv}) std::fill_n(to, s.depth, T(0.0F));
      return;
    }
    weighted_sum<A>(dq, head.k, s.row, s.depth, 0, head.last_key(n),
                    [&](Index j) { return head.dscore(n, j); });
    weighted_sum<A>(dk, head.q, s.row, s.depth, head.first_query(n), head.length,
                    [&](Index i) { return head.dscore(i, n); });
    weighted_sum<A>(dv, head.dy, s.out_row, s.depth, head.first_query(n), head.length,
                    [&](Index i) { return head.probability(i, n); });
  });
}

void expect_lengths(View lengths, Index tokens) {
  if (!lengths) return;
  for (Index b = 0; b < lengths.size(); ++b)
    if (const std::int32_t given = lengths.as<std::int32_t>()[b]; given < 0 || given > tokens)
      fail(ErrorCode::argument, "attention: lengths[", b, "] is ", given, ", expected 0 to ",
           tokens, ", the number of tokens in qkv");
}

}  // namespace

AttentionShape::AttentionShape(const Attention& attention, const Shape& qkv)
    : batch(qkv[0]),
      tokens(qkv[1]),
      heads(attention.heads),
      depth(qkv[2] / (3 * attention.heads)),
      row(qkv[2]),
      out_row(qkv[2] / 3),
      scale(attention.scale != 0 ? attention.scale : 1 / std::sqrt(static_cast<double>(depth))) {}

void attention_forward(const Stream& stream, const Attention& attention, Tensor y, Tensor lse,
                       Workspace workspace, View qkv, View lengths) {
  if (on_device(stream))
    return device<&attention_forward>(stream, attention, y, lse, workspace, qkv, lengths);
  expect_lengths(lengths, qkv.shape[1]);
  if (fast::attention_forward(stream, attention, y, lse, workspace, qkv, lengths)) return;
  for_float(qkv.dtype, [&]<class T>(T) {
    forward<T>(stream, {attention, qkv.shape}, attention.causal, y.as<T>(),
               lse.as<Accumulator<T>>(), qkv.as<T>(), lengths);
  });
}

Bytes attention_forward_workspace(const Stream& stream, const Attention& attention,
                                  const TensorType& qkv, bool lengths) {
  if (on_device(stream))
    return device<&attention_forward_workspace>(stream, attention, qkv, lengths);
  return fast::attention_forward_workspace(stream, attention, qkv);
}

void attention_dgrad(const Stream& stream, const Attention& attention, Tensor dqkv,
                     Workspace workspace, View dy, View qkv, View y, View lse, View lengths) {
  if (on_device(stream))
    return device<&attention_dgrad>(stream, attention, dqkv, workspace, dy, qkv, y, lse, lengths);
  if (fast::attention_dgrad(stream, attention, dqkv, workspace, dy, qkv, y, lse, lengths)) return;
  for_float(qkv.dtype, [&]<class T>(T) {
    dgrad<T>(stream, {attention, qkv.shape}, attention.causal, dqkv.as<T>(), dy.as<T>(),
             qkv.as<T>(), y.as<T>(), lse.as<Accumulator<T>>(), lengths);
  });
}

Bytes attention_dgrad_workspace(const Stream& stream, const Attention& attention,
                                const TensorType& qkv, bool lengths) {
  if (on_device(stream)) return device<&attention_dgrad_workspace>(stream, attention, qkv, lengths);
  return fast::attention_dgrad_workspace(stream, attention, qkv);
}

bool attention_has_vendor(const Stream& stream, const Attention& attention, const TensorType& qkv,
                          bool lengths) {
  return on_device(stream) && vendor_has<&attention_has_vendor>(stream, attention, qkv, lengths);
}

}  // namespace framefold
