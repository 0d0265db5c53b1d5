#include "watch_answer.h"

#include <string.h>

/* The instructions that bpf.ts knows; the kernel has checked that the jumps of a program that it loaded stay in it. */
uint32_t watch_answer(const struct sock_fprog *program, const struct seccomp_data *call) {
  uint32_t word = 0;
  for (unsigned at = 0; at < program->len; at++) {
    const struct sock_filter *step = &program->filter[at];
    uint32_t value = step->k;
    switch (step->code) {
    case BPF_LD | BPF_W | BPF_ABS:
      if (value > sizeof *call - sizeof word)
        return SECCOMP_RET_KILL_PROCESS;
      memcpy(&word, (const char *)call + value, sizeof word);
      break;
    case BPF_ALU | BPF_AND | BPF_K:
      word &= value;
      break;
    case BPF_JMP | BPF_JA:
      at += value;
      break;
    case BPF_JMP | BPF_JEQ | BPF_K:
      at += word == value ? step->jt : step->jf;
      break;
    case BPF_JMP | BPF_JGT | BPF_K:
      at += word > value ? step->jt : step->jf;
      break;
    case BPF_JMP | BPF_JGE | BPF_K:
      at += word >= value ? step->jt : step->jf;
      break;
    case BPF_RET | BPF_K:
      return value;
    default:
      return SECCOMP_RET_KILL_PROCESS;
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}
