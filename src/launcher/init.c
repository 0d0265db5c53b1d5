#include "init.h"

#include "kernel.h"
#include "privilege.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

/* Closes everything but one descriptor: init outlives the guest's start and must not keep its files open. */
static void close_all_but(int kept) {
  if (kept > 0)
    kernel_close_range(0, (unsigned)kept - 1, 0);
  kernel_close_range((unsigned)kept + 1, ~0U, 0);
}

static void reap(pid_t guest, int status) {
  int wait_status;
  for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
    if (pid != guest)
      continue;
    /* One write of four bytes into an empty pipe can't fall short. The kernel kills whoever is left when init ends. */
    ssize_t written = write(status, &wait_status, sizeof wait_status);
    _exit(written == sizeof wait_status ? 0 : 125);
  }
}

void init_run(pid_t guest, int status) {
  sigset_t all;
  sigfillset(&all);
  close_all_but(status);
  privilege_reduce_init();
  for (;;) {
    reap(guest, status);
    int number = sigwaitinfo(&all, NULL);
    if (number > 0 && number != SIGCHLD)
      kill(guest, number);
  }
}
