// Convolutions through cuDNN's graph interface: one operation a graph, a plan for each shape made
// when its workspace is asked for. Engines are taken in the order of the library's heuristic, but
// none whose sums have no fixed order, that shortens operands or sums, or that transforms them
// (Winograd, FFT); in f32 none with tensor cores, which would be TF32. Bias and activation follow
// in a pass of ours, the weights' axes are exchanged before.
#include <cudnn.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include "kernels/activation.h"
#include "kernels/add.h"
#include "kernels/convert.h"
#include "kernels/convolution_layout.h"
#include "kernels/device/library.h"
#include "kernels/permute.h"

namespace framefold {
namespace gpu {
namespace {

struct Cudnn {
  Library library{"libcudnn.so.9"};
#define FRAMEFOLD_FUNCTIONS(each)                                                             \
  each(cudnnCreate) each(cudnnGetErrorString) each(cudnnGetVersion) each(cudnnSetStream)      \
      each(cudnnBackendCreateDescriptor) each(cudnnBackendDestroyDescriptor)                  \
          each(cudnnBackendExecute) each(cudnnBackendFinalize) each(cudnnBackendGetAttribute) \
              each(cudnnBackendSetAttribute)
#define FRAMEFOLD_DECLARE(name) decltype(::name)* name = nullptr;
  FRAMEFOLD_FUNCTIONS(FRAMEFOLD_DECLARE)

  Cudnn() {
#define FRAMEFOLD_FIND(name) library.find(name, #name);
    FRAMEFOLD_FUNCTIONS(FRAMEFOLD_FIND)
  }
#undef FRAMEFOLD_FIND
#undef FRAMEFOLD_DECLARE
#undef FRAMEFOLD_FUNCTIONS

  // Every call passes here.
  void check(cudnnStatus_t status, std::string_view call) const {
    if (status != CUDNN_STATUS_SUCCESS)
      fail(ErrorCode::unavailable, "cuDNN: ", call, ": ", cudnnGetErrorString(status));
  }
};

const Cudnn& dnn() {
  static const Cudnn functions;
  return functions;
}

class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t kind) {
    dnn().check(dnn().cudnnBackendCreateDescriptor(kind, &raw_), "cudnnBackendCreateDescriptor");
  }
  Descriptor(Descriptor&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Descriptor() {
    if (raw_ != nullptr) dnn().cudnnBackendDestroyDescriptor(raw_);
  }
  cudnnBackendDescriptor_t& raw() { return raw_; }

  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, Index count,
           const void* values) {
    dnn().check(dnn().cudnnBackendSetAttribute(raw_, name, type, count, values),
                "cudnnBackendSetAttribute");
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T& value) {
    set(name, type, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, const std::vector<Index>& values) {
    set(name, CUDNN_TYPE_INT64, static_cast<Index>(values.size()), values.data());
  }
  void set(cudnnBackendAttributeName_t name, Descriptor& value) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.raw_);
  }
  Index get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, Index most,
            void* values) {
    Index count = 0;
    dnn().check(dnn().cudnnBackendGetAttribute(raw_, name, type, most, &count, values),
                "cudnnBackendGetAttribute");
    return count;
  }
  void finalize() { dnn().check(dnn().cudnnBackendFinalize(raw_), "cudnnBackendFinalize"); }
  bool finalized() { return dnn().cudnnBackendFinalize(raw_) == CUDNN_STATUS_SUCCESS; }

 private:
  cudnnBackendDescriptor_t raw_ = nullptr;
};

enum class Sum : std::uint8_t { coarse, fine, weight };  // what is computed of the other two

constexpr Index x_id = 1, w_id = 2, y_id = 3;

cudnnDataType_t type_of(DType type) {
  return type == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

Descriptor tensor(Index id, const LibraryConvolution::Operand& operand, DType type) {
  Descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type_of(type));
  made.set(CUDNN_ATTR_TENSOR_DIMENSIONS, operand.extents);
  made.set(CUDNN_ATTR_TENSOR_STRIDES, operand.strides);
  made.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
  made.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, Index{16});
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

cudnnHandle_t handle_of(const Stream& stream) {  // under the plans' lock
  static std::map<std::pair<int, void*>, cudnnHandle_t> handles;
  cudnnHandle_t& handle = handles[{stream.device.index, stream.queue}];
  if (handle == nullptr) {
    cudnnHandle_t made = nullptr;
    dnn().check(dnn().cudnnCreate(&made), "cudnnCreate");
    dnn().check(dnn().cudnnSetStream(made, static_cast<cudaStream_t>(stream.queue)),
                "cudnnSetStream");
    handle = made;
  }
  return handle;
}

// What plans are made for: the device of a handle or, where `handle` is null, one that is
// described.
struct Target {
  cudnnHandle_t handle = nullptr;
  Descriptor* properties = nullptr;
};

Descriptor graph_of(const Target& target, Sum sum, const Convolution& c, DType type) {
  const LibraryConvolution described = library_convolution(c);
  Descriptor x = tensor(x_id, described.x, type);
  Descriptor w = tensor(w_id, described.w, type);
  Descriptor y = tensor(y_id, described.y, type);
  Descriptor convolution = geometry(described);
  const Names names = names_of(sum);
  Descriptor operation(names.kind);
  operation.set(names.x, x);
  operation.set(names.w, w);
  operation.set(names.y, y);
  operation.set(names.convolution, convolution);
  operation.set(names.alpha, CUDNN_TYPE_FLOAT, 1.0F);
  operation.set(names.beta, CUDNN_TYPE_FLOAT, 0.0F);
  operation.finalize();
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (target.handle != nullptr)
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
  graph.finalize();
  return graph;
}

bool allowed(Descriptor& configuration, DType type) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  configuration.get(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &engine.raw());
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  const Index count = engine.get(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                 CUDNN_NUMERICAL_NOTE_TYPE_COUNT, notes.data());
  return std::none_of(notes.begin(), notes.begin() + count, [&](auto note) {
    if (note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE) return type == DType::f32;
    return note != CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP;
  });
}

struct Plan {
  std::optional<Descriptor> plan;  // none: no engine that we allow
  Bytes workspace = 0;
};

Plan make(const Target& target, Sum sum, const Convolution& c, DType type) {
  Descriptor graph = graph_of(target, sum, c, type);
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    heuristic.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
    if (target.properties != nullptr)
      heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.properties);
    if (!heuristic.finalized()) continue;  // nothing for this graph
    constexpr std::size_t most = 32;
    std::vector<Descriptor> configurations;
    std::array<cudnnBackendDescriptor_t, most> raw{};
    for (auto& each : raw)
      each = configurations.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).raw();
    const Index found = heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                      most, raw.data());
    for (std::size_t i = 0; i < std::min(most, static_cast<std::size_t>(found)); ++i) {
      if (!allowed(configurations[i], type)) continue;
      Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      if (target.handle != nullptr)
        plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
      else
        plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.properties);
      plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configurations[i]);
      if (!plan.finalized()) continue;
      Index bytes = 0;
      plan.get(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &bytes);
      return {std::move(plan), static_cast<Bytes>(bytes)};
    }
  }
  return {};
}

std::mutex plans_lock;

Plan& plan_of(const Stream& stream, Sum sum, const Convolution& c, DType type) {
  using Key = std::tuple<int, Sum, DType, Index, Index, Index, Index, std::array<Extents, 6>>;
  static std::map<Key, Plan> plans;
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
    found = plans.emplace(key, make({handle_of(stream), nullptr}, sum, c, type)).first;
  return found->second;
}

bool has(const Stream& stream, Sum sum, const Convolution& c, DType type) {
  if ((type != DType::f32 && type != DType::bf16) || !library_agrees(c) || !dnn().library)
    return false;
  const std::scoped_lock lock(plans_lock);
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
  const std::scoped_lock lock(plans_lock);
  return bytes + Workspace::padded(plan_of(stream, sum, c, type).workspace);
}

void execute(const Stream& stream, Sum sum, const Convolution& c, DType type, Workspace workspace,
             const void* x, const void* w, const void* y) {
  const std::scoped_lock lock(plans_lock);
  Plan& plan = plan_of(stream, sum, c, type);
  const std::array<Index, 3> ids{x_id, w_id, y_id};
  const std::array<const void*, 3> data{x, w, y};
  const void* space = workspace.take<std::byte>(static_cast<Index>(plan.workspace));
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, ids.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, data.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, space);
  pack.finalize();
  dnn().check(dnn().cudnnBackendExecute(handle_of(stream), plan.plan->raw(), pack.raw()),
              "cudnnBackendExecute");
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
