// Products through cuBLASLt. An algorithm is chosen by the library's heuristic once for a shape,
// when its workspace is asked for, among those whose sums have a fixed order; f32 stays f32.
#include <cublasLt.h>

#include <map>
#include <mutex>
#include <tuple>

#include "kernels/convert.h"
#include "kernels/device/library.h"
#include "kernels/device/space.h"
#include "kernels/matmul_layout.h"

namespace framefold {
namespace gpu {
namespace {

constexpr std::size_t workspace_limit = std::size_t{32} << 20;

struct CublasLt {
  Library library{"libcublasLt.so.13", "libcublasLt.so.12"};
#define FRAMEFOLD_FUNCTION(name) decltype(::name)* name = nullptr
  FRAMEFOLD_FUNCTION(cublasLtCreate);
  FRAMEFOLD_FUNCTION(cublasLtGetStatusString);
  FRAMEFOLD_FUNCTION(cublasLtGetVersion);
  FRAMEFOLD_FUNCTION(cublasLtMatmul);
  FRAMEFOLD_FUNCTION(cublasLtMatmulAlgoGetHeuristic);
  FRAMEFOLD_FUNCTION(cublasLtMatmulDescCreate);
  FRAMEFOLD_FUNCTION(cublasLtMatmulDescSetAttribute);
  FRAMEFOLD_FUNCTION(cublasLtMatmulPreferenceCreate);
  FRAMEFOLD_FUNCTION(cublasLtMatmulPreferenceDestroy);
  FRAMEFOLD_FUNCTION(cublasLtMatmulPreferenceSetAttribute);
  FRAMEFOLD_FUNCTION(cublasLtMatrixLayoutCreate);
  FRAMEFOLD_FUNCTION(cublasLtMatrixLayoutSetAttribute);
#undef FRAMEFOLD_FUNCTION

  CublasLt() {
#define FRAMEFOLD_FIND(name) library.find(name, #name)
    FRAMEFOLD_FIND(cublasLtCreate);
    FRAMEFOLD_FIND(cublasLtGetStatusString);
    FRAMEFOLD_FIND(cublasLtGetVersion);
    FRAMEFOLD_FIND(cublasLtMatmul);
    FRAMEFOLD_FIND(cublasLtMatmulAlgoGetHeuristic);
    FRAMEFOLD_FIND(cublasLtMatmulDescCreate);
    FRAMEFOLD_FIND(cublasLtMatmulDescSetAttribute);
    FRAMEFOLD_FIND(cublasLtMatmulPreferenceCreate);
    FRAMEFOLD_FIND(cublasLtMatmulPreferenceDestroy);
    FRAMEFOLD_FIND(cublasLtMatmulPreferenceSetAttribute);
    FRAMEFOLD_FIND(cublasLtMatrixLayoutCreate);
    FRAMEFOLD_FIND(cublasLtMatrixLayoutSetAttribute);
#undef FRAMEFOLD_FIND
  }

  // Every call passes here.
  void check(cublasStatus_t status, std::string_view call) const {
    if (status != CUBLAS_STATUS_SUCCESS)
      fail(ErrorCode::unavailable, "cuBLASLt: ", call, ": ", cublasLtGetStatusString(status));
  }
};

const CublasLt& lt() {
  static const CublasLt functions;
  return functions;
}

cublasLtHandle_t handle_of(int device) {  // under the plans' lock
  static std::map<int, cublasLtHandle_t> handles;
  cublasLtHandle_t& handle = handles[device];
  if (handle == nullptr) lt().check(lt().cublasLtCreate(&handle), "cublasLtCreate");
  return handle;
}

// Descriptors stay as long as the process: there are as many as shapes.
struct Plan {
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, d = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
  Bytes workspace = 0;
  bool found = false;
};

cudaDataType_t type_of(DType type) { return type == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

cublasLtMatrixLayout_t layout_of(const ColumnMajor::Matrix& matrix, Index batch, DType type) {
  cublasLtMatrixLayout_t layout = nullptr;
  lt().check(lt().cublasLtMatrixLayoutCreate(
                 &layout, type_of(type), static_cast<std::uint64_t>(matrix.rows),
                 static_cast<std::uint64_t>(matrix.columns), matrix.rows),
             "cublasLtMatrixLayoutCreate");
  const auto set = [&](cublasLtMatrixLayoutAttribute_t attribute, auto value) {
    lt().check(lt().cublasLtMatrixLayoutSetAttribute(layout, attribute, &value, sizeof value),
               "cublasLtMatrixLayoutSetAttribute");
  };
  set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch));
  set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, static_cast<std::int64_t>(matrix.step));
  return layout;
}

// All but the algorithm.
Plan described(const Product& p, DType c, DType operand) {
  const ColumnMajor columns = column_major(p);
  Plan plan;
  lt().check(lt().cublasLtMatmulDescCreate(&plan.product, CUBLAS_COMPUTE_32F, CUDA_R_32F),
             "cublasLtMatmulDescCreate");
  const auto describe = [&](cublasLtMatmulDescAttributes_t attribute, auto value) {
    lt().check(lt().cublasLtMatmulDescSetAttribute(plan.product, attribute, &value, sizeof value),
               "cublasLtMatmulDescSetAttribute");
  };
  describe(CUBLASLT_MATMUL_DESC_TRANSA, columns.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  describe(CUBLASLT_MATMUL_DESC_TRANSB, columns.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  const bool relu = p.activation.kind == Activation::relu;
  describe(CUBLASLT_MATMUL_DESC_EPILOGUE,
           relu     ? p.bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU
           : p.bias ? CUBLASLT_EPILOGUE_BIAS
                    : CUBLASLT_EPILOGUE_DEFAULT);
  // Any bias's: the heuristic may refuse an epilogue without one. Each call sets its own.
  if (p.bias)
    describe(CUBLASLT_MATMUL_DESC_BIAS_POINTER,
             reinterpret_cast<const void*>(std::uintptr_t{space_alignment}));
  plan.a = layout_of(columns.a, p.batch, operand);
  plan.b = layout_of(columns.b, p.batch, operand);
  plan.d = layout_of(columns.d, p.batch, c);
  return plan;
}

cublasLtMatmulPreference_t preferred() {
  cublasLtMatmulPreference_t preference = nullptr;
  lt().check(lt().cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    lt().check(
        lt().cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_limit);
  // Parts of a split sum meet in f32 in the workspace, in order; never in the result itself.
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  for (const auto operand_alignment :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    prefer(operand_alignment, std::uint32_t{16});
  return preference;
}

Plan make(int device, const Product& p, DType c, DType operand) {
  Plan plan = described(p, c, operand);
  const cublasLtMatmulPreference_t preference = preferred();
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const cublasStatus_t status =
      lt().cublasLtMatmulAlgoGetHeuristic(handle_of(device), plan.product, plan.a, plan.b, plan.d,
                                          plan.d, preference, 1, &result, &found);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) lt().check(status, "cublasLtMatmulAlgoGetHeuristic");
  lt().check(lt().cublasLtMatmulPreferenceDestroy(preference), "cublasLtMatmulPreferenceDestroy");
  plan.found = status == CUBLAS_STATUS_SUCCESS && found > 0;
  plan.algorithm = result.algo;
  plan.workspace = plan.found ? result.workspaceSize : 0;
  return plan;
}

std::mutex plans_lock;  // held through a call: the bias's address stands in the plan

const Plan& plan_of(const Stream& stream, const Product& p, DType c, DType operand) {
  static std::map<std::tuple<int, Index, Index, Index, Index, unsigned, DType, DType>, Plan> plans;
  const unsigned flags = (p.transpose_a ? 1U : 0U) | (p.transpose_b ? 2U : 0U) |
                         (p.bias ? 4U : 0U) | (p.activation.kind == Activation::relu ? 8U : 0U);
  const int device = stream.device.index;
  const auto key = std::make_tuple(device, p.batch, p.m, p.n, p.k, flags, c, operand);
  auto found = plans.find(key);
  if (found == plans.end()) found = plans.emplace(key, make(device, p, c, operand)).first;
  return found->second;
}

bool has_product(const Stream& stream, const Product& p, DType c, DType a, DType b) {
  if (!library_supports(p, c, a, b) || !lt().library) return false;
  const std::scoped_lock lock(plans_lock);
  return plan_of(stream, p, c, library_types(c, a, b).operand).found;
}

// The space that an operand takes once more, where it is rounded.
Bytes rounded_bytes(DType given, DType wanted, Index count) {
  return given == wanted ? 0 : Workspace::padded(static_cast<Bytes>(count) * size_of(wanted));
}

Bytes product_workspace(const Stream& stream, const Product& p, DType c, DType a, DType b) {
  if (!has_product(stream, p, c, a, b)) return 0;
  const LibraryTypes types = library_types(c, a, b);
  const std::scoped_lock lock(plans_lock);
  return rounded_bytes(a, types.operand, p.batch * p.m * p.k) +
         rounded_bytes(b, types.operand, p.batch * p.k * p.n) +
         (p.bias ? rounded_bytes(DType::f32, types.bias, p.n) : 0) +
         space_bytes(plan_of(stream, p, c, types.operand).workspace);
}

bool product(const Stream& stream, const Product& p, Tensor c, Workspace workspace, View a, View b,
             View bias) {
  if (!has_product(stream, p, c.dtype, a.dtype, b.dtype)) return false;
  if (p.bias && bias.dtype == DType::bf16 && c.dtype == DType::f32) return false;
  const LibraryTypes types = library_types(c.dtype, a.dtype, b.dtype);
  if (!aligned_to_16(a.data, b.data, c.data, bias.data)) return false;
  const auto rounded = [&](View x, DType wanted, Index count) {
    if (x.dtype == wanted) return x;
    const Tensor narrow = workspace.take({wanted, {count}});
    convert(stream, narrow, {x.data, x.dtype, {count}});
    return View(narrow);
  };
  a = rounded(a, types.operand, p.batch * p.m * p.k);
  b = rounded(b, types.operand, p.batch * p.k * p.n);
  if (p.bias) bias = rounded(bias, types.bias, p.n);

  const std::scoped_lock lock(plans_lock);
  const Plan& plan = plan_of(stream, p, c.dtype, types.operand);
  if (p.bias)
    lt().check(lt().cublasLtMatmulDescSetAttribute(plan.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                   &bias.data, sizeof bias.data),
               "cublasLtMatmulDescSetAttribute");
  const float one = 1;
  const float beta = p.accumulate ? 1 : 0;
  lt().check(lt().cublasLtMatmul(handle_of(stream.device.index), plan.product, &one, b.data, plan.a,
                                 a.data, plan.b, &beta, c.data, plan.d, c.data, plan.d,
                                 &plan.algorithm, take_space(workspace, plan.workspace),
                                 plan.workspace, static_cast<cudaStream_t>(stream.queue)),
             "cublasLtMatmul");
  return true;
}

const OnVendor<&framefold::product> path(product);
const OnVendor<&framefold::product_workspace> workspace_path(product_workspace);
const OnVendor<&framefold::product_has_vendor> question(has_product);

}  // namespace

std::string cublaslt_version() {
  if (!lt().library) return {};
  const std::size_t version = lt().cublasLtGetVersion();
  return text(version / 10000, '.', version / 100 % 100, '.', version % 100);
}

}  // namespace gpu
}  // namespace framefold
