// libcuda.so.1 for machines without a driver, as far as cuDNN asks it while it makes plans for a
// described GPU: its engines compile their kernels and have them loaded. Here everything can be
// loaded and nothing run.
extern "C" {
constexpr int done = 0, no_driver = 34;  // CUDA_ERROR_STUB_LIBRARY

#define FRAMEFOLD_ABSENT(name) \
  int name() { return no_driver; }
FRAMEFOLD_ABSENT(cuCtxGetCurrent)
FRAMEFOLD_ABSENT(cuCtxGetLimit)
FRAMEFOLD_ABSENT(cuCtxPopCurrent)
FRAMEFOLD_ABSENT(cuCtxPushCurrent)
FRAMEFOLD_ABSENT(cuDeviceGet)
FRAMEFOLD_ABSENT(cuDeviceGetCount)
FRAMEFOLD_ABSENT(cuFuncGetAttribute)
FRAMEFOLD_ABSENT(cuFuncSetAttribute)
FRAMEFOLD_ABSENT(cuGetErrorName)
FRAMEFOLD_ABSENT(cuGetErrorString)
FRAMEFOLD_ABSENT(cuInit)
FRAMEFOLD_ABSENT(cuLaunchCooperativeKernel)
FRAMEFOLD_ABSENT(cuLaunchKernel)
FRAMEFOLD_ABSENT(cuLaunchKernelEx)
FRAMEFOLD_ABSENT(cuLibraryLoadFromFile)
FRAMEFOLD_ABSENT(cuLinkAddData)
FRAMEFOLD_ABSENT(cuLinkAddData_v2)
FRAMEFOLD_ABSENT(cuLinkAddFile_v2)
FRAMEFOLD_ABSENT(cuLinkComplete)
FRAMEFOLD_ABSENT(cuLinkCreate)
FRAMEFOLD_ABSENT(cuLinkCreate_v2)
FRAMEFOLD_ABSENT(cuLinkDestroy)
FRAMEFOLD_ABSENT(cuMemcpyDtoH_v2)
FRAMEFOLD_ABSENT(cuModuleGetFunction)
FRAMEFOLD_ABSENT(cuModuleGetGlobal_v2)
FRAMEFOLD_ABSENT(cuModuleLoadData)
FRAMEFOLD_ABSENT(cuModuleLoadDataEx)
FRAMEFOLD_ABSENT(cuModuleLoadFatBinary)
FRAMEFOLD_ABSENT(cuModuleUnload)
FRAMEFOLD_ABSENT(cuOccupancyMaxActiveBlocksPerMultiprocessor)
FRAMEFOLD_ABSENT(cuOccupancyMaxPotentialClusterSize)
FRAMEFOLD_ABSENT(cuStreamGetCtx)
FRAMEFOLD_ABSENT(cuStreamSynchronize)
FRAMEFOLD_ABSENT(cuTensorMapEncodeTiled)
#undef FRAMEFOLD_ABSENT

int cuDriverGetVersion(int* version) {
  *version = 13000;
  return done;
}
int cuLibraryLoadData(void** library) {
  static int some;
  *library = &some;
  return done;
}
int cuLibraryGetKernel(void** kernel) { return cuLibraryLoadData(kernel); }
int cuLibraryUnload() { return done; }
int cuKernelSetAttribute() { return done; }
int cuKernelGetAttribute(int* value) {
  *value = 0;
  return done;
}
}
