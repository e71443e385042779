// Attention through cuDNN's graphs: the two products and the softmax between them are one graph,
// for which the library has fused engines; they stand in no memory. Backward is the decomposition
// that writes dq once instead of adding to it in any order: its workspace holds a bf16 number for
// each pair of tokens, which is what a fixed order costs here. Statistics are lse in the library's
// forward and in ours, so that either forward may precede either backward. Lengths are a mask on
// the scores' columns; what stands past them could still meet a weight of zero, and what the
// library writes there is not documented, so it reads copies with zeros there, and we write zeros
// after it.
#include <limits>
#include <tuple>

#include "kernels/attention_layout.h"
#include "kernels/copy.h"
#include "kernels/device/cudnn.h"

namespace framefold {
namespace gpu {
namespace {

enum Id : Index {
  q_id = 1,
  k_id,
  v_id,
  y_id,
  lse_id,
  dy_id,
  dq_id,
  dk_id,
  dv_id,
  delta_id,
  lengths_id
};
enum Constant : Index { scale_id = 20, one_id, lowest_id };  // read from the host

constexpr float one = 1, lowest = std::numeric_limits<float>::lowest();

// A tensor of the graph: where it has no number of its own, it lives inside of the engine.
struct Value {
  Descriptor descriptor;
  std::vector<Index> extents, strides;
};

class Graph {
 public:
  std::vector<Descriptor> operations;

  Value tensor(Index id, const std::vector<Index>& extents, const std::vector<Index>& strides,
               cudnnDataType_t type) {
    Value made{cudnn_operand(id, extents, strides, type), extents, strides};
    made.descriptor.finalize();
    return made;
  }
  Value constant(Index id) {
    const std::vector<Index> ones(4, 1);
    Value made{cudnn_operand(id, ones, ones, CUDNN_DATA_FLOAT), ones, ones};
    made.descriptor.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, true);
    made.descriptor.finalize();
    return made;
  }
  Value inner(const std::vector<Index>& extents, const std::vector<Index>& strides,
              cudnnDataType_t type = CUDNN_DATA_FLOAT) {
    Value made{cudnn_operand(next_++, extents, strides, type), extents, strides};
    made.descriptor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, true);
    made.descriptor.finalize();
    return made;
  }
  Value like(const Value& value, cudnnDataType_t type = CUDNN_DATA_FLOAT) {
    return inner(value.extents, value.strides, type);
  }

  void multiply(Value& a, Value& b, Value& c) {
    Descriptor kind(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
    kind.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
    kind.finalize();
    Descriptor& made = operations.emplace_back(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    made.set(CUDNN_ATTR_OPERATION_MATMUL_ADESC, a.descriptor);
    made.set(CUDNN_ATTR_OPERATION_MATMUL_BDESC, b.descriptor);
    made.set(CUDNN_ATTR_OPERATION_MATMUL_CDESC, c.descriptor);
    made.set(CUDNN_ATTR_OPERATION_MATMUL_DESC, kind);
    made.finalize();
  }
  void reduce(cudnnReduceTensorOp_t by, Value& x, Value& y) {
    Descriptor kind(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
    kind.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
    kind.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, by);
    kind.finalize();
    Descriptor& made = operations.emplace_back(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    made.set(CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x.descriptor);
    made.set(CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y.descriptor);
    made.set(CUDNN_ATTR_OPERATION_REDUCTION_DESC, kind);
    made.finalize();
  }
  // y = x by b, or by x alone; of `choice`, x where it is true.
  void map(cudnnPointwiseMode_t by, Value& x, Value* b, Value& y, Value* choice = nullptr,
           cudnnDataType_t computed = CUDNN_DATA_FLOAT, Index axis = -1) {
    Descriptor kind(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    kind.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, by);
    kind.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, computed);
    if (axis >= 0) kind.set(CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, axis);
    kind.finalize();
    Descriptor& made = operations.emplace_back(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    made.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind);
    made.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x.descriptor);
    if (b) made.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b->descriptor);
    made.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y.descriptor);
    if (choice) made.set(CUDNN_ATTR_OPERATION_POINTWISE_TDESC, choice->descriptor);
    made.finalize();
  }
  Value mapped(cudnnPointwiseMode_t by, Value& x, Value* b = nullptr) {
    Value y = like(x);
    map(by, x, b, y);
    return y;
  }
  // The last two axes exchanged.
  Value turned(Value& x, cudnnDataType_t type) {
    Value y = inner({x.extents[0], x.extents[1], x.extents[3], x.extents[2]},
                    {x.strides[0], x.strides[1], x.strides[3], x.strides[2]}, type);
    Descriptor& made = operations.emplace_back(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
    made.set(CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x.descriptor);
    made.set(CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y.descriptor);
    made.finalize();
    return y;
  }
  Value numbers(Value& scores, Index axis) {
    Value made = like(scores, CUDNN_DATA_INT32);
    map(CUDNN_POINTWISE_GEN_INDEX, scores, nullptr, made, nullptr, CUDNN_DATA_INT32, axis);
    return made;
  }
  // Scores of keys behind their query become as good as minus infinity.
  Value causal(Value& scores) {
    Value rows = numbers(scores, 2), columns = numbers(scores, 3);
    return kept_where(CUDNN_POINTWISE_CMP_GE, rows, columns, scores);
  }
  // So do those of keys past the sample's length.
  Value within(Value& scores) {
    Value lengths =
        tensor(lengths_id, {scores.extents[0], 1, 1, 1}, {1, 1, 1, 1}, CUDNN_DATA_INT32);
    Value columns = numbers(scores, 3);
    return kept_where(CUDNN_POINTWISE_CMP_LT, columns, lengths, scores);
  }
  Value kept_where(cudnnPointwiseMode_t by, Value& a, Value& b, Value& scores) {
    Value seen = like(scores, CUDNN_DATA_BOOLEAN);
    map(by, a, &b, seen, nullptr, CUDNN_DATA_BOOLEAN);
    Value none = constant(lowest_id);
    Value kept = like(scores);
    map(CUDNN_POINTWISE_BINARY_SELECT, scores, &none, kept, &seen);
    return kept;
  }

 private:
  Index next_ = 100;
};

struct Kind {
  bool backward, causal, lengths;
};

constexpr cudnnDataType_t io = CUDNN_DATA_BFLOAT16;

std::vector<Index> exchanged(std::vector<Index> axes) {
  std::swap(axes[2], axes[3]);
  return axes;
}

CudnnPlan make_forward(const CudnnTarget& target, const LibraryAttention& a, const Kind& kind) {
  Graph g;
  const Index tokens = a.extents[2];
  Value q = g.tensor(q_id, a.extents, a.packed, io);
  Value k = g.tensor(k_id, exchanged(a.extents), exchanged(a.packed), io);
  Value v = g.tensor(v_id, a.extents, a.packed, io);
  Value y = g.tensor(y_id, a.extents, a.plain, io);
  Value lse = g.tensor(lse_id, a.statistics, a.row_stride, CUDNN_DATA_FLOAT);
  Value scale = g.constant(scale_id);
  Value scores = g.inner({a.extents[0], a.extents[1], tokens, tokens},
                         {a.extents[1] * tokens * tokens, tokens * tokens, tokens, 1});
  g.multiply(q, k, scores);
  Value scaled = g.mapped(CUDNN_POINTWISE_MUL, scores, &scale);
  if (kind.causal) scaled = g.causal(scaled);
  if (kind.lengths) scaled = g.within(scaled);
  Value most = g.inner(a.statistics, a.row_stride);
  g.reduce(CUDNN_REDUCE_TENSOR_MAX, scaled, most);
  Value less = g.mapped(CUDNN_POINTWISE_SUB, scaled, &most);
  Value weights = g.mapped(CUDNN_POINTWISE_EXP, less);
  Value total = g.inner(a.statistics, a.row_stride);
  g.reduce(CUDNN_REDUCE_TENSOR_ADD, weights, total);
  Value logarithm = g.mapped(CUDNN_POINTWISE_LOG, total);
  g.map(CUDNN_POINTWISE_ADD, most, &logarithm, lse);
  Value shares = g.like(scores, io);
  g.map(CUDNN_POINTWISE_DIV, weights, &total, shares);
  g.multiply(shares, v, y);
  Descriptor graph = cudnn_graph(target, g.operations);
  return cudnn_plan(target, graph, DType::bf16);
}

CudnnPlan make_backward(const CudnnTarget& target, const LibraryAttention& a, const Kind& kind) {
  Graph g;
  const Index tokens = a.extents[2];
  Value q = g.tensor(q_id, a.extents, a.packed, io);
  Value k = g.tensor(k_id, exchanged(a.extents), exchanged(a.packed), io);
  Value v = g.tensor(v_id, exchanged(a.extents), exchanged(a.packed), io);
  Value y = g.tensor(y_id, a.extents, a.plain, io);
  Value dy = g.tensor(dy_id, a.extents, a.plain, io);
  Value lse = g.tensor(lse_id, a.statistics, a.row_stride, CUDNN_DATA_FLOAT);
  Value delta = g.tensor(delta_id, a.statistics, a.row_stride, CUDNN_DATA_FLOAT);
  Value dq = g.tensor(dq_id, a.extents, a.packed, io);
  Value dk = g.tensor(dk_id, a.extents, a.packed, io);
  Value dv = g.tensor(dv_id, a.extents, a.packed, io);
  Value scale = g.constant(scale_id), unit = g.constant(one_id);

  // delta = sum of dy y over a head's channels
  Value products = g.inner(a.extents, {a.extents[1] * tokens * a.extents[3], tokens * a.extents[3],
                                       a.extents[1] * a.extents[3], 1});
  g.map(CUDNN_POINTWISE_MUL, dy, &y, products);
  Value sums = g.inner(a.statistics, a.row_stride);
  g.reduce(CUDNN_REDUCE_TENSOR_ADD, products, sums);
  g.map(CUDNN_POINTWISE_MUL, sums, &unit, delta);

  // p = exp(scale q k - lse), dv = p^T dy
  Value scores = g.inner({a.extents[0], a.extents[1], tokens, tokens},
                         {a.extents[1] * tokens * tokens, tokens * tokens, tokens, 1});
  g.multiply(q, k, scores);
  Value scaled = g.mapped(CUDNN_POINTWISE_MUL, scores, &scale);
  Value less = g.mapped(CUDNN_POINTWISE_SUB, scaled, &lse);
  if (kind.causal) less = g.causal(less);
  if (kind.lengths) less = g.within(less);
  Value p = g.mapped(CUDNN_POINTWISE_EXP, less);
  Value of_keys = g.turned(p, io);
  g.multiply(of_keys, dy, dv);

  // ds = scale p (dy v - delta), dk = ds^T q, dq = ds k
  Value slopes = g.like(scores);
  g.multiply(dy, v, slopes);
  Value centred = g.mapped(CUDNN_POINTWISE_SUB, slopes, &delta);
  Value weighted = g.mapped(CUDNN_POINTWISE_MUL, centred, &p);
  Value ds = g.mapped(CUDNN_POINTWISE_MUL, weighted, &scale);
  Value ds_of_keys = g.turned(ds, io);
  g.multiply(ds_of_keys, q, dk);
  Value rows_of_k = g.turned(k, io);
  g.multiply(ds, rows_of_k, dq);
  Descriptor graph = cudnn_graph(target, g.operations);
  return cudnn_plan(target, graph, DType::bf16);
}

CudnnPlan make(const CudnnTarget& target, Kind kind, const AttentionShape& shape) {
  const LibraryAttention a = library_attention(shape);
  return kind.backward ? make_backward(target, a, kind) : make_forward(target, a, kind);
}

CudnnPlan& plan_of(const Stream& stream, Kind kind, const AttentionShape& s) {
  using Key = std::tuple<int, bool, bool, bool, Index, Index, Index, Index, double>;
  static std::map<Key, CudnnPlan> plans;
  const Key key{stream.device.index,
                kind.backward,
                kind.causal,
                kind.lengths,
                s.batch,
                s.tokens,
                s.heads,
                s.depth,
                s.scale};
  auto found = plans.find(key);
  if (found == plans.end())
    found = plans.emplace(key, make({cudnn_handle(stream), nullptr}, kind, s)).first;
  return found->second;
}

// The order of the decomposition's sums is promised for this architecture alone.
bool is_hopper(const Stream& stream) {
  int major = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, stream.device.index),
        "cudaDeviceGetAttribute");
  return major == 9;
}

bool has(const Stream& stream, Kind kind, const AttentionShape& s, DType type) {
  if (!library_supports(s, type) || !dnn().library) return false;
  if (kind.backward && !is_hopper(stream)) return false;
  const std::scoped_lock lock(cudnn_lock());
  return plan_of(stream, kind, s).plan.has_value();
}

// Without what stands past lengths, if there are any.
View kept(const Stream& stream, Workspace& workspace, View x, View lengths) {
  if (!lengths) return x;
  const Tensor copy = workspace.take(x.type());
  copy_within(stream, copy, x, lengths);
  return copy;
}

void bind_masks(std::vector<CudnnBinding>& bindings, const Kind& kind, View lengths) {
  if (kind.causal || kind.lengths) bindings.push_back({lowest_id, &lowest});
  if (kind.lengths) bindings.push_back({lengths_id, lengths.data});
}

Bytes rows_bytes(const AttentionShape& s) {
  return Workspace::padded(static_cast<Bytes>(s.batch * s.heads * s.tokens) * sizeof(float));
}

bool attention_forward(const Stream& stream, const Attention& attention, Tensor y, Tensor lse,
                       Workspace workspace, View qkv, View lengths) {
  const AttentionShape s(attention, qkv.shape);
  const Kind kind{false, attention.causal, static_cast<bool>(lengths)};
  if (!aligned_to_16(qkv.data, y.data, lse.data) || !has(stream, kind, s, qkv.dtype)) return false;
  const LibraryAttention a = library_attention(s);
  const auto* q = kept(stream, workspace, qkv, lengths).as<bf16>();
  {
    const std::scoped_lock lock(cudnn_lock());
    CudnnPlan& plan = plan_of(stream, kind, s);
    const void* space = take_space(workspace, plan.workspace);
    std::vector<CudnnBinding> bindings{{q_id, q},      {k_id, q + a.key},  {v_id, q + a.value},
                                       {y_id, y.data}, {lse_id, lse.data}, {scale_id, &a.scale}};
    bind_masks(bindings, kind, lengths);
    cudnn_execute(stream, plan, space, bindings);
  }
  if (!lengths) return true;
  copy_within(stream, y, y, lengths);
  const Tensor rows{lse.data, lse.dtype, {s.batch, s.heads, s.tokens, 1}};
  copy_within(stream, rows, rows, lengths);
  return true;
}

bool attention_dgrad(const Stream& stream, const Attention& attention, Tensor dqkv,
                     Workspace workspace, View dy, View qkv, View y, View lse, View lengths) {
  const AttentionShape s(attention, qkv.shape);
  const Kind kind{true, attention.causal, static_cast<bool>(lengths)};
  if (!aligned_to_16(qkv.data, y.data, lse.data, dy.data, dqkv.data) ||
      !has(stream, kind, s, qkv.dtype))
    return false;
  const LibraryAttention a = library_attention(s);
  const auto* q = kept(stream, workspace, qkv, lengths).as<bf16>();
  const View slopes = kept(stream, workspace, dy, lengths);
  auto* dq = dqkv.as<bf16>();
  {
    const std::scoped_lock lock(cudnn_lock());
    CudnnPlan& plan = plan_of(stream, kind, s);
    const auto* delta = workspace.take<float>(s.batch * s.heads * s.tokens);
    const void* space = take_space(workspace, plan.workspace);
    std::vector<CudnnBinding> bindings{
        {q_id, q},         {k_id, q + a.key},    {v_id, q + a.value},
        {y_id, y.data},    {lse_id, lse.data},   {dy_id, slopes.data},
        {dq_id, dq},       {dk_id, dq + a.key},  {dv_id, dq + a.value},
        {delta_id, delta}, {scale_id, &a.scale}, {one_id, &one}};
    bind_masks(bindings, kind, lengths);
    cudnn_execute(stream, plan, space, bindings);
  }
  if (lengths) copy_within(stream, dqkv, dqkv, lengths);
  return true;
}

template <bool backward>
Bytes space_of(const Stream& stream, const Attention& attention, const TensorType& qkv,
               bool lengths) {
  const AttentionShape s(attention, qkv.shape);
  const Kind kind{backward, attention.causal, lengths};
  if (!has(stream, kind, s, qkv.dtype)) return 0;
  const Bytes copies =
      Workspace::padded(qkv.bytes()) + (backward ? Workspace::padded(qkv.bytes() / 3) : Bytes{0});
  const std::scoped_lock lock(cudnn_lock());
  return space_bytes(plan_of(stream, kind, s).workspace) + (backward ? rows_bytes(s) : 0) +
         (lengths ? copies : 0);
}

bool has_attention(const Stream& stream, const Attention& attention, const TensorType& qkv,
                   bool lengths) {
  return has(stream, {false, attention.causal, lengths}, {attention, qkv.shape}, qkv.dtype);
}

const OnVendor<&framefold::attention_forward> forward_path(attention_forward);
const OnVendor<&framefold::attention_dgrad> dgrad_path(attention_dgrad);
const OnVendor<&framefold::attention_forward_workspace> forward_space(space_of<false>);
const OnVendor<&framefold::attention_dgrad_workspace> dgrad_space(space_of<true>);
const OnVendor<&framefold::attention_has_vendor> question(has_attention);

}  // namespace
}  // namespace gpu
}  // namespace framefold
