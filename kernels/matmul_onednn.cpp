// oneDNN's matmul primitive, f32. Made at the workspace query and kept by shape and threads, so
// that nothing is compiled while a step runs; its scratchpad is ours.
#include <omp.h>

#include <dnnl.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "kernels/matmul.h"

namespace framefold {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// oneDNN takes OpenMP's number of threads, when a primitive is made and when it runs.
class Threads {
 public:
  explicit Threads(const Stream& stream) : before_(omp_get_max_threads()) {
    omp_set_num_threads(stream.threads);
  }
  ~Threads() { omp_set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

memory::desc matrices(Index batch, Index rows, Index cols, bool transposed) {
  const memory::dims strides = {rows * cols, transposed ? 1 : cols, transposed ? rows : 1};
  return {{batch, rows, cols}, memory::data_type::f32, strides};
}

dnnl::matmul::primitive_desc description(const Product& p) {
  dnnl::post_ops post;
  if (p.accumulate) post.append_sum(1.0F);
  using dnnl::algorithm;
  switch (p.activation.kind) {
    case Activation::relu: post.append_eltwise(1, algorithm::eltwise_relu, 0, 0); break;
    case Activation::leaky_relu:
      post.append_eltwise(1, algorithm::eltwise_relu, p.activation.slope, 0);
      break;
    case Activation::sigmoid: post.append_eltwise(1, algorithm::eltwise_logistic, 0, 0); break;
    case Activation::tanh: post.append_eltwise(1, algorithm::eltwise_tanh, 0, 0); break;
    default: break;
  }
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(post);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const auto a = matrices(p.batch, p.m, p.k, p.transpose_a);
  const auto b = matrices(p.batch, p.k, p.n, p.transpose_b);
  const auto c = matrices(p.batch, p.m, p.n, false);
  const memory::desc bias({1, 1, p.n}, memory::data_type::f32, memory::format_tag::abc);
  const dnnl::matmul::desc plain(a, b, c);
  const dnnl::matmul::desc biased(a, b, bias, c);
  return {p.bias ? biased : plain, attributes, engine()};
}

struct Made {
  dnnl::matmul::primitive_desc description;
  dnnl::matmul primitive;
};

const Made& made(const Stream& stream, const Product& p) {
  static std::mutex mutex;
  static std::map<std::tuple<int, Index, Index, Index, Index, unsigned, int, float>,
                  std::unique_ptr<Made>>
      cache;
  const unsigned flags = (p.transpose_a ? 1U : 0U) | (p.transpose_b ? 2U : 0U) |
                         (p.accumulate ? 4U : 0U) | (p.bias ? 8U : 0U);
  const std::lock_guard lock(mutex);
  auto& entry = cache[{stream.threads, p.batch, p.m, p.n, p.k, flags,
                       static_cast<int>(p.activation.kind), p.activation.slope}];
  if (!entry) {
    const Threads threads(stream);
    const auto chosen = description(p);
    entry = std::make_unique<Made>(Made{chosen, dnnl::matmul(chosen)});
  }
  return *entry;
}

}  // namespace

bool vendor::supports(const Product& p, DType c, DType a, DType b) {
  return c == DType::f32 && a == DType::f32 && b == DType::f32 && p.batch * p.m * p.n * p.k > 0;
}

Bytes vendor::product_workspace(const Stream& stream, const Product& p, DType c, DType a, DType b) {
  if (stream.path != Path::vendor || !supports(p, c, a, b)) return 0;
  return Workspace::padded(made(stream, p).description.scratchpad_desc().get_size());
}

bool vendor::product(const Stream& stream, const Product& p, Tensor c, Workspace workspace, View a,
                     View b, View bias) {
  if (stream.path != Path::vendor || !supports(p, c.dtype, a.dtype, b.dtype)) return false;
  const Made& own = made(stream, p);
  const auto& description = own.description;
  const auto wrap = [](const memory::desc& layout, const void* data) {
    return memory(layout, engine(), const_cast<void*>(data));
  };
  const auto scratch_bytes = static_cast<Index>(description.scratchpad_desc().get_size());
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, wrap(description.src_desc(), a.data)},
      {DNNL_ARG_WEIGHTS, wrap(description.weights_desc(), b.data)},
      {DNNL_ARG_DST, wrap(description.dst_desc(), c.data)},
      {DNNL_ARG_SCRATCHPAD,
       wrap(description.scratchpad_desc(), workspace.take<std::byte>(scratch_bytes))}};
  if (p.bias) arguments.insert({DNNL_ARG_BIAS, wrap(description.bias_desc(), bias.data)});
  const Threads threads(stream);
  dnnl::stream queue(engine());
  own.primitive.execute(queue, arguments);
  queue.wait();
  return true;
}

}  // namespace framefold
