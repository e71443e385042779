// cuDNN's graph interface, opened when its path is first wanted: descriptors, and plans made of a
// graph by the library's heuristic. Engines are taken in its order, but none whose sums have no
// fixed order, that shortens operands or sums, or that transforms them (Winograd, FFT); in f32 none
// with tensor cores, which would be TF32.
#pragma once

#include <cudnn.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/device/library.h"
#include "kernels/device/space.h"

namespace framefold::gpu {

struct Cudnn {
  Library library{"libcudnn.so.9"};
#define FRAMEFOLD_FUNCTIONS(each)                                                             \
  each(cudnnCreate) each(cudnnGetErrorString) each(cudnnGetVersion) each(cudnnSetStream)      \
      each(cudnnBackendCreateDescriptor) each(cudnnBackendDestroyDescriptor)                  \
          each(cudnnBackendExecute) each(cudnnBackendFinalize) each(cudnnBackendGetAttribute) \
              each(cudnnBackendSetAttribute)
#define FRAMEFOLD_DECLARE(name) decltype(::name)* name = nullptr;
  FRAMEFOLD_FUNCTIONS(FRAMEFOLD_DECLARE)

  // Products inside of cuDNN are cuBLAS's, whose order is fixed where this says so before the first
  // handle is made. What the user said stays.
  Cudnn() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): once
    if (::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0) != 0)
      fail(ErrorCode::unavailable, "cuDNN: CUBLAS_WORKSPACE_CONFIG cannot be set");
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

inline const Cudnn& dnn() {
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
  void set(cudnnBackendAttributeName_t name, std::vector<Descriptor>& values) {
    std::vector<cudnnBackendDescriptor_t> all;
    for (Descriptor& value : values) all.push_back(value.raw_);
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::ssize(all), all.data());
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

inline cudnnDataType_t cudnn_type(DType type) {
  return type == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

// An operand of a graph, not final yet.
inline Descriptor cudnn_operand(Index id, const std::vector<Index>& extents,
                                const std::vector<Index>& strides, cudnnDataType_t type) {
  Descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type);
  made.set(CUDNN_ATTR_TENSOR_DIMENSIONS, extents);
  made.set(CUDNN_ATTR_TENSOR_STRIDES, strides);
  made.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
  made.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, Index{16});
  return made;
}

// Of every cuDNN path: plans, handles.
inline std::mutex& cudnn_lock() {
  static std::mutex lock;
  return lock;
}

inline cudnnHandle_t cudnn_handle(const Stream& stream) {  // under the lock
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
struct CudnnTarget {
  cudnnHandle_t handle = nullptr;
  Descriptor* properties = nullptr;
};

inline Descriptor cudnn_graph(const CudnnTarget& target, std::vector<Descriptor>& operations) {
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (target.handle != nullptr)
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations);
  graph.finalize();
  return graph;
}

inline bool cudnn_allows(Descriptor& configuration, DType type) {
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

struct CudnnPlan {
  std::optional<Descriptor> plan;  // none: no engine that we allow
  Bytes workspace = 0;
};

inline CudnnPlan cudnn_plan(const CudnnTarget& target, Descriptor& graph, DType type) {
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
      if (!cudnn_allows(configurations[i], type)) continue;
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

struct CudnnBinding {
  Index id;
  const void* data;
};

// Under the lock; `space` is the plan's workspace.
inline void cudnn_execute(const Stream& stream, CudnnPlan& plan, const void* space,
                          const std::vector<CudnnBinding>& bindings) {
  std::vector<Index> ids;
  std::vector<const void*> data;
  for (const CudnnBinding& one : bindings) {
    ids.push_back(one.id);
    data.push_back(one.data);
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, std::ssize(data),
           data.data());
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, space);
  pack.finalize();
  dnn().check(dnn().cudnnBackendExecute(cudnn_handle(stream), plan.plan->raw(), pack.raw()),
              "cudnnBackendExecute");
}

}  // namespace framefold::gpu
