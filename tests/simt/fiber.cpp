#include "tests/simt/fiber.h"

namespace simt {
namespace {

Fiber* leaving = nullptr;  // the fiber that the current switch comes from

void arrive(Fiber& self) {
  (void)self;
#if SIMT_ASAN
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(self.fake_stack, &bottom, &bytes);
  if (leaving->stack == nullptr) {
    leaving->bottom = bottom;
    leaving->bytes = bytes;
  }
#endif
}

}  // namespace

#if defined(__x86_64__)

extern "C" void simt_switch_stack(void** from, void* to);
asm(R"(
.text
.globl simt_switch_stack
.type simt_switch_stack,@function
simt_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_switch_stack,.-simt_switch_stack
)");

namespace {

void change_stack(Fiber& from, Fiber& to, void (*entry)()) {
  if (to.stack && !to.begun) {
    auto** top = reinterpret_cast<void**>(to.stack + to.bytes);
    *--top = nullptr;  // a return address of 0 ends back-traces
    *--top = reinterpret_cast<void*>(entry);
    for (int saved = 0; saved < 6; ++saved) *--top = nullptr;
    to.top = top;
  }
  to.begun = true;
  simt_switch_stack(&from.top, to.top);
}

}  // namespace

#else

namespace {

void change_stack(Fiber& from, Fiber& to, void (*entry)()) {
  if (to.stack && !to.begun) {
    getcontext(&to.context);
    to.context.uc_stack.ss_sp = to.stack;
    to.context.uc_stack.ss_size = to.bytes;
    to.context.uc_link = nullptr;
    makecontext(&to.context, entry, 0);
  }
  to.begun = true;
  swapcontext(&from.context, &to.context);
}

}  // namespace

#endif

void switch_fiber(Fiber& from, Fiber& to, void (*entry)(), bool forever) {
  leaving = &from;
  (void)forever;
#if SIMT_ASAN
  __sanitizer_start_switch_fiber(forever ? nullptr : &from.fake_stack,
                                 to.stack ? to.stack : to.bottom, to.bytes);
#endif
  change_stack(from, to, entry);
  arrive(from);
}

void fiber_entered(Fiber& self) { arrive(self); }

}  // namespace simt
