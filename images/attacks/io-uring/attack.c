#include "../attack.h"

int main(void) {
  char parameters[256] = {0};
  must_fail("io_uring_setup", syscall(SYS_io_uring_setup, 1, parameters));
  return held();
}
