#include "init.h"

#include "kernel.h"
#include "privilege.h"

#include <signal.h>
#include <stdbool.h>
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

/* A guest that forges it stops only itself. Whoever waits for a process that joined is no init: all he may signal is
 * the user's. */
static bool is_word_of_parent(const siginfo_t *information) {
  return getpid() == 1 && information->si_code == SI_QUEUE && information->si_value.sival_int == INIT_EVERYBODY;
}

void init_run(pid_t guest, int status) {
  sigset_t all;
  siginfo_t information;
  sigfillset(&all);
  close_all_but(status);
  if (privilege_reduce_init() < 0)
    _exit(125);
  for (;;) {
    reap(guest, status);
    int number = sigwaitinfo(&all, &information);
    if (number <= 0 || number == SIGCHLD)
      continue;
    if (is_word_of_parent(&information))
      /* All but init itself, at one moment: none can fork on meanwhile (kill(2)). */
      kill(-1, number == SIGTSTP ? SIGSTOP : SIGCONT);
    else
      kill(guest, number);
  }
}
