// DeviceRuntime over the CUDA runtime; in builds with CUDA alone.
#include <nvtx3/nvToolsExt.h>

#include "kernels/device/check.h"
#include "kernels/device_runtime.h"

namespace framefold {
namespace gpu {
namespace {

std::string version_text(int version) {  // 12040: 12.4
  return text(version / 1000, '.', version % 1000 / 10);
}

// Says in one sentence what is missing, or returns the device's properties.
cudaDeviceProp open(int index) {
  const auto missing = [index](const auto&... why) {
    fail(ErrorCode::unavailable, "device cuda:", index, " is wanted, but ", why...,
         ", or take the device cpu");
  };
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  if (driver == 0) missing("there is no NVIDIA driver here; install it");
  int count = 0;
  const cudaError_t counted = cudaGetDeviceCount(&count);
  if (counted == cudaErrorInsufficientDriver)
    missing("the driver is for CUDA ", version_text(driver), " and this build for ",
            version_text(CUDART_VERSION), "; update the driver");
  if (counted == cudaErrorNoDevice || (counted == cudaSuccess && count == 0))
    missing("the driver finds no GPU; look at nvidia-smi");
  check(counted, "cudaGetDeviceCount");
  if (index >= count)
    missing("the GPUs of this machine are cuda:0 to cuda:", count - 1, "; choose one of them");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  if (properties.major < 8)
    missing(properties.name, " has compute capability ", properties.major, '.', properties.minor,
            " and this build needs 8.0; choose a newer GPU");
  check(cudaSetDevice(index), "cudaSetDevice");
  return properties;
}

cudaStream_t stream(void* queue) { return static_cast<cudaStream_t>(queue); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

class CudaRuntime final : public DeviceRuntime {
 public:
  explicit CudaRuntime(int index) : properties_(open(index)) {
    check(cudaDriverGetVersion(&driver_), "cudaDriverGetVersion");
  }

  std::string name() const override {
    return text(properties_.name, ", driver for CUDA ", version_text(driver_));
  }
  Memory memory() const override {
    std::size_t free = 0;
    std::size_t total = 0;
    check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    return {.free = free, .total = total};
  }

  void* allocate(Bytes bytes) override {
    return taken([bytes](void** data) { return cudaMalloc(data, bytes); }, "cudaMalloc");
  }
  void release(void* data) noexcept override {
    cudaDeviceSynchronize();  // which cudaFree does not promise
    cudaFree(data);
  }
  void* allocate_pinned(Bytes bytes) override {
    return taken([bytes](void** data) { return cudaMallocHost(data, bytes); }, "cudaMallocHost");
  }
  void release_pinned(void* data) noexcept override {
    cudaDeviceSynchronize();  // copies may still read it
    cudaFreeHost(data);
  }

  void copy(Queue queue, void* to, const void* from, Bytes bytes) override {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream(queue)), "cudaMemcpyAsync");
  }
  void fill_bytes(Queue queue, void* to, int value, Bytes bytes) override {
    check(cudaMemsetAsync(to, value, bytes, stream(queue)), "cudaMemsetAsync");
  }

  Queue make_queue() override {
    cudaStream_t made = nullptr;
    check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return made;
  }
  void release_queue(Queue queue) noexcept override {
    cudaStreamSynchronize(stream(queue));
    cudaStreamDestroy(stream(queue));
  }
  void wait(Queue queue) override {
    check(cudaStreamSynchronize(stream(queue)), "cudaStreamSynchronize");
  }

  Event make_event() override {
    cudaEvent_t made = nullptr;
    check(cudaEventCreate(&made), "cudaEventCreate");
    return made;
  }
  void release_event(Event event) noexcept override { cudaEventDestroy(event_of(event)); }
  void record(Event event, Queue queue) override {
    check(cudaEventRecord(event_of(event), stream(queue)), "cudaEventRecord");
  }
  void wait(Queue queue, Event event) override {
    check(cudaStreamWaitEvent(stream(queue), event_of(event), 0), "cudaStreamWaitEvent");
  }
  void wait_for(Event event) override {
    check(cudaEventSynchronize(event_of(event)), "cudaEventSynchronize");
  }
  double seconds(Event from, Event to) override {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, event_of(from), event_of(to)),
          "cudaEventElapsedTime");
    return 1e-3 * static_cast<double>(milliseconds);
  }

  void begin_capture(Queue queue) override {
    check(cudaStreamBeginCapture(stream(queue), cudaStreamCaptureModeThreadLocal),
          "cudaStreamBeginCapture");
  }
  Graph end_capture(Queue queue) override {
    cudaGraph_t recorded = nullptr;
    cudaGraphExec_t made = nullptr;
    const cudaError_t ended = cudaStreamEndCapture(stream(queue), &recorded);
    check(ended, "cudaStreamEndCapture");
    const cudaError_t result = cudaGraphInstantiate(&made, recorded, 0);
    cudaGraphDestroy(recorded);
    check(result, "cudaGraphInstantiate");
    return made;
  }
  void replay(Graph graph, Queue queue) override {
    check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream(queue)), "cudaGraphLaunch");
  }
  void release_graph(Graph graph) noexcept override {
    cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
  }

  void begin_range(const std::string& name) override { nvtxRangePushA(name.c_str()); }
  void end_range() override { nvtxRangePop(); }

 private:
  template <class Take>
  static void* taken(const Take& take, std::string_view call) {
    void* data = nullptr;
    const cudaError_t result = take(&data);
    if (result == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      return nullptr;
    }
    check(result, call);
    return data;
  }

  cudaDeviceProp properties_;
  int driver_ = 0;
};

const OpensDevice opens([](int index) -> std::unique_ptr<DeviceRuntime> {
  return std::make_unique<CudaRuntime>(index);
});

}  // namespace
}  // namespace gpu
}  // namespace framefold
