// Time as a guest sees it: what is measured is the work, not the start.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <time.h>

// What a guest ends with when it finds nothing to measure, having said what is missing (compile-guest.ts).
enum { LACKING = 3 };

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// The one line that the harness reads.
static int report_ns(int64_t start_ns) {
  printf("%lld\n", (long long)(now_ns() - start_ns));
  return 0;
}
