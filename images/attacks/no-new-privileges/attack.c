#include "../attack.h"

#include <sys/prctl.h>

int main(void) {
  must_fail("no_new_privs is not set", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? -1 : 0);
  return held();
}
