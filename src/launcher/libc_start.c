/* Where the program begins when it is built without a C library (README, "Without a C library"). Everything in the
 * files libc_*.c has the meaning that the C library of the same name gives it, as far as the launcher uses it. */
#ifndef __GLIBC__
#include <features.h>
#endif
#ifndef __GLIBC__
#error "only glibc's headers are known to describe what the kernel takes; another C library is linked as usual"
#endif

#include <elf.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv);

/* What -fstack-protector compares with. Random as soon as the program runs: nothing returns to before that. */
uintptr_t __stack_chk_guard;

_Noreturn void __stack_chk_fail(void);
_Noreturn void libc_begin(uintptr_t *stack);

void __stack_chk_fail(void) {
  __builtin_trap();
}

/* The kernel leaves argc, argv, the environment and the auxiliary vector on the stack, in this order. */
void libc_begin(uintptr_t *stack) {
  int argc = (int)stack[0];
  char **argv = (char **)(stack + 1);
  uintptr_t *auxiliary = stack + 1 + argc + 1;
  while (*auxiliary++ != 0)
    ;
  for (; auxiliary[0] != AT_NULL; auxiliary += 2)
    if (auxiliary[0] == AT_RANDOM)
      memcpy(&__stack_chk_guard, (const void *)auxiliary[1], sizeof __stack_chk_guard);
  /* A byte that no string can carry across. */
  __stack_chk_guard &= ~(uintptr_t)0xff;
  _exit(main(argc, argv));
}

#if defined __x86_64__
__asm__(".globl _start\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call libc_begin\n");
#elif defined __aarch64__
__asm__(".globl _start\n"
        "_start:\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  mov x0, sp\n"
        "  bl libc_begin\n");
#else
#error "no entry for this processor; the C library is linked as usual"
#endif
