/* What a seccomp program comes to for one call, worked out outside of the kernel. */
#ifndef WOLFFIA_WATCH_ANSWER_H
#define WOLFFIA_WATCH_ANSWER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

/* The action with its value, SECCOMP_RET_…; SECCOMP_RET_KILL_PROCESS for a program that is none of ours. */
uint32_t watch_answer(const struct sock_fprog *program, const struct seccomp_data *call);

#endif
