// The LSTM through cuDNN's recurrent functions, the standard algorithm: in f32 without tensor
// cores, in bf16 with weights and cells rounded to it. The library keeps what its backward reads in
// a format of its own, `reserve`, so forward and backward take one path.
#include <memory>
#include <tuple>

#include "kernels/add.h"
#include "kernels/convert.h"
#include "kernels/copy.h"
#include "kernels/device/cudnn.h"
#include "kernels/lstm_layout.h"
#include "kernels/permute.h"

namespace framefold {
namespace gpu {
namespace {

struct CudnnRnn {
  Library library{"libcudnn.so.9"};
#define FRAMEFOLD_FUNCTIONS(each)                                                                  \
  each(cudnnCreateRNNDescriptor) each(cudnnSetRNNDescriptor_v8) each(cudnnCreateRNNDataDescriptor) \
      each(cudnnSetRNNDataDescriptor) each(cudnnCreateTensorDescriptor)                            \
          each(cudnnSetTensorNdDescriptor) each(cudnnDestroyTensorDescriptor)                      \
              each(cudnnCreateDropoutDescriptor) each(cudnnSetDropoutDescriptor)                   \
                  each(cudnnGetRNNTempSpaceSizes) each(cudnnGetRNNWeightSpaceSize)                 \
                      each(cudnnGetRNNWeightParams) each(cudnnRNNForward)                          \
                          each(cudnnRNNBackwardData_v8) each(cudnnRNNBackwardWeights_v8)
#define FRAMEFOLD_DECLARE(name) decltype(::name)* name = nullptr;
  FRAMEFOLD_FUNCTIONS(FRAMEFOLD_DECLARE)

  CudnnRnn() {
#define FRAMEFOLD_FIND(name) library.find(name, #name);
    FRAMEFOLD_FUNCTIONS(FRAMEFOLD_FIND)
  }
#undef FRAMEFOLD_FIND
#undef FRAMEFOLD_DECLARE
#undef FRAMEFOLD_FUNCTIONS
};

const CudnnRnn& rnn() {
  static const CudnnRnn functions;
  return functions;
}

#define FRAMEFOLD_RNN(name, ...) dnn().check(rnn().name(__VA_ARGS__), #name)

struct Sequence {
  DType type;
  Index batch, steps, inputs, hidden;

  Sequence(const TensorType& x, Index units)
      : type(x.dtype), batch(x.shape[0]), steps(x.shape[1]), inputs(x.shape[2]), hidden(units) {}
  LibraryLstm layout() const { return {inputs, hidden}; }
};

// Made once for a shape and kept.
struct Descriptors {
  cudnnRNNDescriptor_t rnn = nullptr;
  cudnnRNNDataDescriptor_t x = nullptr, h = nullptr;
  cudnnTensorDescriptor_t state = nullptr;
};

cudnnRNNDataDescriptor_t sequences(const Sequence& s, Index width) {
  cudnnRNNDataDescriptor_t made = nullptr;
  FRAMEFOLD_RNN(cudnnCreateRNNDataDescriptor, &made);
  const std::vector<int> lengths(static_cast<std::size_t>(s.batch), static_cast<int>(s.steps));
  FRAMEFOLD_RNN(cudnnSetRNNDataDescriptor, made, cudnn_type(s.type),
                CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED, static_cast<int>(s.steps),
                static_cast<int>(s.batch), static_cast<int>(width), lengths.data(), nullptr);
  return made;
}

Descriptors describe(const Sequence& s, cudnnDropoutDescriptor_t dropout) {
  Descriptors made;
  FRAMEFOLD_RNN(cudnnCreateRNNDescriptor, &made.rnn);
  FRAMEFOLD_RNN(cudnnSetRNNDescriptor_v8, made.rnn, CUDNN_RNN_ALGO_STANDARD, CUDNN_LSTM,
                CUDNN_RNN_SINGLE_INP_BIAS, CUDNN_UNIDIRECTIONAL, CUDNN_LINEAR_INPUT,
                cudnn_type(s.type), CUDNN_DATA_FLOAT,
                s.type == DType::f32 ? CUDNN_FMA_MATH : CUDNN_TENSOR_OP_MATH,
                static_cast<std::int32_t>(s.inputs), static_cast<std::int32_t>(s.hidden),
                static_cast<std::int32_t>(s.hidden), 1, dropout, CUDNN_RNN_PADDED_IO_ENABLED);
  made.x = sequences(s, s.inputs);
  made.h = sequences(s, s.hidden);
  FRAMEFOLD_RNN(cudnnCreateTensorDescriptor, &made.state);
  const int batch = static_cast<int>(s.batch), hidden = static_cast<int>(s.hidden);
  const int extents[] = {1, batch, hidden}, strides[] = {batch * hidden, hidden, 1};
  FRAMEFOLD_RNN(cudnnSetTensorNdDescriptor, made.state, cudnn_type(s.type), 3, extents, strides);
  return made;
}

struct Plan {
  bool possible = false;
  Descriptors described;
  std::size_t weights = 0, temporary = 0, reserve = 0;
};

// Whether the library's weights stand where LibraryLstm says.
bool stands_as_expected(cudnnHandle_t handle, const Plan& plan, const Sequence& s) {
  const LibraryLstm layout = s.layout();
  const auto element = static_cast<Index>(size_of(s.type));
  auto* const space = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 30);  // never read
  cudnnTensorDescriptor_t of_matrix = nullptr, of_bias = nullptr;
  FRAMEFOLD_RNN(cudnnCreateTensorDescriptor, &of_matrix);
  FRAMEFOLD_RNN(cudnnCreateTensorDescriptor, &of_bias);
  bool expected = plan.weights >= static_cast<std::size_t>(layout.size() * element);
  for (int layer = 0; layer < 8 && expected; ++layer) {
    void *matrix = nullptr, *bias = nullptr;
    FRAMEFOLD_RNN(cudnnGetRNNWeightParams, handle, plan.described.rnn, 0, plan.weights, space,
                  layer, of_matrix, &matrix, of_bias, &bias);
    expected = matrix == space + layout.matrix(layer) * element &&
               (layer >= 4 || bias == space + (layout.bias() + layer * s.hidden) * element);
  }
  FRAMEFOLD_RNN(cudnnDestroyTensorDescriptor, of_matrix);
  FRAMEFOLD_RNN(cudnnDestroyTensorDescriptor, of_bias);
  return expected;
}

Plan make(cudnnHandle_t handle, const Sequence& s) {
  Plan plan;
  cudnnDropoutDescriptor_t dropout = nullptr;
  FRAMEFOLD_RNN(cudnnCreateDropoutDescriptor, &dropout);
  FRAMEFOLD_RNN(cudnnSetDropoutDescriptor, dropout, handle, 0, nullptr, 0, 0);
  plan.described = describe(s, dropout);
  FRAMEFOLD_RNN(cudnnGetRNNWeightSpaceSize, handle, plan.described.rnn, &plan.weights);
  FRAMEFOLD_RNN(cudnnGetRNNTempSpaceSizes, handle, plan.described.rnn, CUDNN_FWD_MODE_TRAINING,
                plan.described.x, &plan.temporary, &plan.reserve);
  plan.possible = stands_as_expected(handle, plan, s);
  return plan;
}

const Plan& plan_of(const Stream& stream, const Sequence& s) {  // under the lock
  using Key = std::tuple<int, void*, DType, Index, Index, Index, Index>;
  static std::map<Key, Plan> plans;
  const Key key{stream.device.index, stream.queue, s.type, s.batch, s.steps, s.inputs, s.hidden};
  auto found = plans.find(key);
  if (found == plans.end()) found = plans.emplace(key, make(cudnn_handle(stream), s)).first;
  return found->second;
}

bool has(const Stream& stream, const TensorType& x, Index hidden, bool peepholes, bool lengths) {
  if (!library_supports(x, hidden, peepholes, lengths) || !dnn().library || !rnn().library)
    return false;
  const std::scoped_lock lock(cudnn_lock());
  return plan_of(stream, {x, hidden}).possible;
}

Bytes lstm_reserve(const Stream& stream, const TensorType& x, Index hidden, bool peepholes,
                   bool lengths) {
  if (!has(stream, x, hidden, peepholes, lengths)) return 0;
  const std::scoped_lock lock(cudnn_lock());
  return std::max<Bytes>(1, plan_of(stream, {x, hidden}).reserve);
}

constexpr int exchanged[] = {1, 0};

// The weights in the library's order and type.
const void* library_weights(const Stream& stream, const Sequence& s, const Plan& plan,
                            Workspace& workspace, const LstmInputs& in) {
  auto* space = take_space(workspace, plan.weights);
  const LibraryLstm layout = s.layout();
  const auto put = [&](View weight, Index inputs, Index at, Workspace scratch) {
    const Tensor to{
        space + at * static_cast<Index>(size_of(s.type)), s.type, {4 * s.hidden, inputs}};
    const Tensor turned =
        s.type == DType::f32 ? to : scratch.take({DType::f32, {4 * s.hidden, inputs}});
    permute_forward(stream, turned, {weight.data, DType::f32, {inputs, 4 * s.hidden}}, exchanged);
    if (s.type != DType::f32) convert(stream, to, turned);
  };
  put(in.wx, s.inputs, layout.matrix(0), workspace);
  put(in.wh, s.hidden, layout.matrix(4), workspace);
  put(in.bias, 1, layout.bias(), workspace);
  return space;
}

// gradients += those in the library's order and type.
void add_gradients(const Stream& stream, const Sequence& s, std::byte* space, Workspace workspace,
                   const LstmGradients& gradients) {
  const LibraryLstm layout = s.layout();
  const auto add = [&](Tensor gradient, Index inputs, Index at, Workspace scratch) {
    const TensorType theirs{DType::f32, {4 * s.hidden, inputs}};
    Tensor from{space + at * static_cast<Index>(size_of(s.type)), s.type, theirs.shape};
    if (s.type != DType::f32) {
      const Tensor wide = scratch.take(theirs);
      convert(stream, wide, from);
      from = wide;
    }
    const Tensor sums = scratch.take({DType::f32, {inputs, 4 * s.hidden}});
    permute_forward(stream, sums, from, exchanged);
    const Tensor all{gradient.data, DType::f32, sums.shape};
    add_forward(stream, all, all, sums);
  };
  add(gradients.wx, s.inputs, layout.matrix(0), workspace);
  add(gradients.wh, s.hidden, layout.matrix(4), workspace);
  add(gradients.bias, 1, layout.bias(), workspace);
}

Bytes scratch_bytes(const Sequence& s) {
  return 2 * Workspace::padded(
                 TensorType{DType::f32, {4 * s.hidden, std::max(s.inputs, s.hidden)}}.bytes());
}

Bytes forward_space(const Stream& stream, const TensorType& x, Index hidden) {
  if (!has(stream, x, hidden, false, false)) return 0;
  const Sequence s(x, hidden);
  const std::scoped_lock lock(cudnn_lock());
  const Plan& plan = plan_of(stream, s);
  return space_bytes(plan.weights) + std::max(scratch_bytes(s), space_bytes(plan.temporary));
}

Bytes backward_space(const Stream& stream, const TensorType& x, Index hidden) {
  if (!has(stream, x, hidden, false, false)) return 0;
  const Sequence s(x, hidden);
  const std::scoped_lock lock(cudnn_lock());
  const Plan& plan = plan_of(stream, s);
  const TensorType h{x.dtype, {s.batch, s.steps, s.hidden}};
  return 2 * space_bytes(plan.weights) + Workspace::padded(x.bytes()) +
         Workspace::padded(h.bytes()) + std::max(scratch_bytes(s), space_bytes(plan.temporary));
}

// Forward and backward are asked alike, so that one never runs without the other.
bool lstm_forward(const Stream& stream, const LstmOutputs& out, Workspace workspace,
                  const LstmInputs& in) {
  const Sequence s(in.x.type(), out.h.shape[2]);
  if (!out.reserve || !has(stream, in.x.type(), s.hidden, static_cast<bool>(in.peepholes),
                           static_cast<bool>(in.lengths)))
    return false;
  const std::scoped_lock lock(cudnn_lock());
  const Plan& plan = plan_of(stream, s);
  const Descriptors& d = plan.described;
  const void* weights = library_weights(stream, s, plan, workspace, in);
  FRAMEFOLD_RNN(cudnnRNNForward, cudnn_handle(stream), d.rnn, CUDNN_FWD_MODE_TRAINING, nullptr, d.x,
                in.x.data, d.h, out.h.data, d.state, in.h0.data, out.h_last.data, d.state,
                in.c0.data, out.c_last.data, plan.weights, weights, plan.temporary,
                take_space(workspace, plan.temporary), plan.reserve, out.reserve.data);
  return true;
}

bool lstm_backward(const Stream& stream, Tensor dx, Tensor dh0, Tensor dc0,
                   const LstmGradients& gradients, Workspace workspace, const LstmInputs& in,
                   const LstmResults& results) {
  const Sequence s(in.x.type(), results.h.shape[2]);
  if (!results.reserve || !has(stream, in.x.type(), s.hidden, static_cast<bool>(in.peepholes),
                               static_cast<bool>(in.lengths)))
    return false;
  const std::scoped_lock lock(cudnn_lock());
  const Plan& plan = plan_of(stream, s);
  const Descriptors& d = plan.described;
  const void* weights = library_weights(stream, s, plan, workspace, in);
  if (!dx) dx = workspace.take(in.x.type());  // the library writes it always
  View dh = results.dh;
  if (!dh) {
    const Tensor none = workspace.take(results.h.type());
    zero_blocks(stream, none.data, 0, static_cast<Index>(none.bytes()), 1);
    dh = none;
  }
  auto* sums = take_space(workspace, plan.weights);
  Workspace left = workspace;
  void* temporary = take_space(left, plan.temporary);
  FRAMEFOLD_RNN(cudnnRNNBackwardData_v8, cudnn_handle(stream), d.rnn, nullptr, d.h, results.h.data,
                dh.data, d.x, dx.data, d.state, in.h0.data, results.dh_last.data, dh0.data, d.state,
                in.c0.data, results.dc_last.data, dc0.data, plan.weights, weights, plan.temporary,
                temporary, plan.reserve, results.reserve.data);
  if (!gradients.wx) return true;
  zero_blocks(stream, sums, 0, static_cast<Index>(plan.weights), 1);
  FRAMEFOLD_RNN(cudnnRNNBackwardWeights_v8, cudnn_handle(stream), d.rnn, CUDNN_WGRAD_MODE_ADD,
                nullptr, d.x, in.x.data, d.state, in.h0.data, d.h, results.h.data, plan.weights,
                sums, plan.temporary, temporary, plan.reserve, results.reserve.data);
  add_gradients(stream, s, sums, workspace, gradients);
  return true;
}

const OnVendor<&framefold::lstm_forward> forward_path(lstm_forward);
const OnVendor<&framefold::lstm_backward> backward_path(lstm_backward);
const OnVendor<&framefold::lstm_forward_workspace> forward_bytes(forward_space);
const OnVendor<&framefold::lstm_backward_workspace> backward_bytes(backward_space);
const OnVendor<&framefold::lstm_reserve> reserve_bytes(lstm_reserve);

}  // namespace
}  // namespace gpu
}  // namespace framefold
