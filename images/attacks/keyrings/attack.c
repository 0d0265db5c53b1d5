#include "../attack.h"

int main(void) {
  must_fail("keyctl", syscall(SYS_keyctl, 0, -3, 0));
  must_fail("request_key", syscall(SYS_request_key, "user", "wolffia-attack", NULL, 0));
  return errno == ENOKEY ? (puts("reached: request_key"), REACHED) : held();
}
