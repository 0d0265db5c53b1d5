#include "../attack.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/wait.h>

int main(void) {
  struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0)
    _exit(0);
  must_fail("clone3(CLONE_NEWUSER)", child);
  return held();
}
