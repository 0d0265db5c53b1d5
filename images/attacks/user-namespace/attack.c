#include "../attack.h"

#include <sched.h>

int main(void) {
  must_fail("unshare(CLONE_NEWUSER)", unshare(CLONE_NEWUSER));
  return held();
}
