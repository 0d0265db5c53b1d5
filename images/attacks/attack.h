/* How an attack ends: whoever started it sees that by the exit code alone. None of them changes anything: each stops at the
 * moment in which it could. */
#ifndef WOLFFIA_ATTACK_H
#define WOLFFIA_ATTACK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HELD = 10, REACHED = 11, NOT_HERE = 12 };

/* Ends as reached when what was tried has gone well. */
static inline void must_fail(const char *what, long result) {
  if (result < 0)
    return;
  printf("reached: %s\n", what);
  exit(REACHED);
}

/* The end of an attack that got nowhere. */
static inline int held(void) {
  return HELD;
}

#endif
