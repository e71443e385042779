// Convolutions through cuDNN's graph interface: one operation a graph, a plan for each shape made
// when its workspace is asked for (device/cudnn.h: which engines). Bias and activation follow in a
// pass of ours, the weights' axes are exchanged before.
#include <tuple>

#include "kernels/activation.h"
#include "kernels/add.h"
#include "kernels/convert.h"
#include "kernels/convolution_layout.h"
#include "kernels/device/cudnn.h"
#include "kernels/permute.h"

namespace framefold {
namespace gpu {
namespace {

enum class Sum : std::uint8_t { coarse, fine, weight };  // what is computed of the other two

constexpr Index x_id = 1, w_id = 2, y_id = 3;

Descriptor tensor(Index id, const LibraryConvolution::Operand& operand, DType type) {
  Descriptor made = cudnn_operand(id, operand.extents, operand.strides, cudnn_type(type));
  made.finalize();
  return made;
}

Descriptor geometry(const LibraryConvolution& c) {
  Descriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  made.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
  made.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
  made.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64,
           static_cast<Index>(c.stride.size()));
  made.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, c.stride);
  made.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, c.padding);
  made.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, c.padding);
  made.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, c.dilation);
  made.finalize();
  return made;
}

struct Names {  // of one operation's attributes
  cudnnBackendDescriptorType_t kind;
  cudnnBackendAttributeName_t x, w, y, convolution, alpha, beta;
};

Names names_of(Sum sum) {
  switch (sum) {
    case Sum::coarse:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case Sum::fine:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case Sum::weight: break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

CudnnPlan make(const CudnnTarget& target, Sum sum, const Convolution& c, DType type) {
  const LibraryConvolution described = library_convolution(c);
  Descriptor x = tensor(x_id, described.x, type);
  Descriptor w = tensor(w_id, described.w, type);
  Descriptor y = tensor(y_id, described.y, type);
  Descriptor convolution = geometry(described);
  const Names names = names_of(sum);
  std::vector<Descriptor> operations;
  Descriptor& operation = operations.emplace_back(names.kind);
  operation.set(names.x, x);
  operation.set(names.w, w);
  operation.set(names.y, y);
  operation.set(names.convolution, convolution);
  operation.set(names.alpha, CUDNN_TYPE_FLOAT, 1.0F);
  operation.set(names.beta, CUDNN_TYPE_FLOAT, 0.0F);
  operation.finalize();
  Descriptor graph = cudnn_graph(target, operations);
  return cudnn_plan(target, graph, type);
}

CudnnPlan& plan_of(const Stream& stream, Sum sum, const Convolution& c, DType type) {
  using Key = std::tuple<int, Sum, DType, Index, Index, Index, Index, std::array<Extents, 6>>;
  static std::map<Key, CudnnPlan> plans;
  const Key key{stream.device.index,
                sum,
                type,
                c.batch,
                c.groups,
                c.fine_channels,
                c.coarse_channels,
                {c.fine, c.coarse, c.kernel, c.stride, c.padding, c.dilation}};
  auto found = plans.find(key);
  if (found == plans.end())
    found = plans.emplace(key, make({cudnn_handle(stream), nullptr}, sum, c, type)).first;
  return found->second;
}

bool has(const Stream& stream, Sum sum, const Convolution& c, DType type) {
  if ((type != DType::f32 && type != DType::bf16) || !library_agrees(c) || !dnn().library)
    return false;
  const std::scoped_lock lock(cudnn_lock());
  return plan_of(stream, sum, c, type).plan.has_value();
}

Bytes weight_bytes(const Convolution& c, DType type) {
  return Workspace::padded(static_cast<Bytes>(c.weights()) * size_of(type));
}

// The weight in the library's order and in its type; of a gradient, its way back.
Bytes workspace_of(const Stream& stream, Sum sum, const Convolution& c, DType type) {
  if (!has(stream, sum, c, type)) return 0;
  Bytes bytes = weight_bytes(c, DType::f32);
  if (sum == Sum::weight) bytes += weight_bytes(c, DType::f32);
  if (type == DType::bf16) bytes += weight_bytes(c, type);
  const std::scoped_lock lock(cudnn_lock());
  return bytes + space_bytes(plan_of(stream, sum, c, type).workspace);
}

void execute(const Stream& stream, Sum sum, const Convolution& c, DType type, Workspace workspace,
             const void* x, const void* w, const void* y) {
  const std::scoped_lock lock(cudnn_lock());
  CudnnPlan& plan = plan_of(stream, sum, c, type);
  const void* space = take_space(workspace, plan.workspace);
  cudnn_execute(stream, plan, space, {{x_id, x}, {w_id, w}, {y_id, y}});
}

constexpr int exchanged[] = {1, 0};

Shape ours(const Convolution& c) { return {c.taps() * c.fine_group(), c.coarse_channels}; }
Shape theirs(const Convolution& c) { return {c.coarse_channels, c.taps() * c.fine_group()}; }

View library_weight(const Stream& stream, const Convolution& c, DType type, Workspace& workspace,
                    View weight) {
  const Tensor turned = workspace.take({DType::f32, theirs(c)});
  permute_forward(stream, turned, {weight.data, DType::f32, ours(c)}, exchanged);
  if (type == DType::f32) return turned;
  const Tensor rounded = workspace.take({type, theirs(c)});
  convert(stream, rounded, turned);
  return rounded;
}

void finish(const Stream& stream, const Convolution& c, Tensor out, View bias) {
  if (bias) add_forward(stream, out, out, bias);
  if (c.activation.kind != Activation::none) activation_forward(stream, c.activation, out, out);
}

bool coarse_from_fine(const Stream& stream, const Convolution& c, Tensor coarse,
                      Workspace workspace, View fine, View weight, View bias) {
  if (!has(stream, Sum::coarse, c, fine.dtype) || !aligned_to_16(coarse.data, fine.data))
    return false;
  const View w = library_weight(stream, c, fine.dtype, workspace, weight);
  execute(stream, Sum::coarse, c, fine.dtype, workspace, fine.data, w.data, coarse.data);
  finish(stream, c, coarse, bias);
  return true;
}

bool fine_from_coarse(const Stream& stream, const Convolution& c, Tensor fine, Workspace workspace,
                      View coarse, View weight, View bias) {
  if (!has(stream, Sum::fine, c, coarse.dtype) || !aligned_to_16(coarse.data, fine.data))
    return false;
  const View w = library_weight(stream, c, coarse.dtype, workspace, weight);
  execute(stream, Sum::fine, c, coarse.dtype, workspace, fine.data, w.data, coarse.data);
  finish(stream, c, fine, bias);
  return true;
}

bool weight_from_both(const Stream& stream, const Convolution& c, Tensor weight,
                      Workspace workspace, View fine, View coarse) {
  if (!has(stream, Sum::weight, c, fine.dtype) || !aligned_to_16(coarse.data, fine.data))
    return false;
  const Tensor turned = workspace.take({DType::f32, theirs(c)});
  const Tensor sums = workspace.take({DType::f32, ours(c)});
  const bool narrow = fine.dtype == DType::bf16;
  const Tensor made = narrow ? workspace.take({fine.dtype, theirs(c)}) : turned;
  execute(stream, Sum::weight, c, fine.dtype, workspace, fine.data, made.data, coarse.data);
  if (narrow) convert(stream, turned, made);
  permute_forward(stream, sums, turned, exchanged);
  const Tensor all{weight.data, DType::f32, ours(c)};
  add_forward(stream, all, all, sums);
  return true;
}

template <Sum sum>
Bytes space_of(const Stream& stream, const Convolution& c, DType type) {
  return workspace_of(stream, sum, c, type);
}

bool has_convolution(const Stream& stream, const Convolution& c, DType type) {
  return has(stream, Sum::coarse, c, type);
}

const OnVendor<&framefold::coarse_from_fine> coarse_path(coarse_from_fine);
const OnVendor<&framefold::fine_from_coarse> fine_path(fine_from_coarse);
const OnVendor<&framefold::weight_from_both> weight_path(weight_from_both);
const OnVendor<&framefold::coarse_from_fine_workspace> coarse_space(space_of<Sum::coarse>);
const OnVendor<&framefold::fine_from_coarse_workspace> fine_space(space_of<Sum::fine>);
const OnVendor<&framefold::weight_from_both_workspace> weight_space(space_of<Sum::weight>);
const OnVendor<&framefold::convolution_has_vendor> question(has_convolution);

}  // namespace

std::string cudnn_version() {
  if (!dnn().library) return {};
  const std::size_t version = dnn().cudnnGetVersion();
  return text(version / 10000, '.', version / 100 % 100, '.', version % 100);
}

}  // namespace gpu
}  // namespace framefold
