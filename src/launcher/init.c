#include "init.h"

#include "failure.h"
#include "kernel.h"
#include "privilege.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

/* Closes everything but two descriptors: init outlives the guest's start and must not keep its files open. */
static void close_all_but(int first, int second) {
  int lower = first < second ? first : second, upper = first < second ? second : first;
  if (lower > 0)
    kernel_close_range(0, (unsigned)lower - 1, 0);
  if (upper > lower + 1)
    kernel_close_range((unsigned)lower + 1, (unsigned)upper - 1, 0);
  kernel_close_range((unsigned)upper + 1, ~0U, 0);
}

/* One program forked into two: what its texts are for one they are for the other. One that could not become less waits
 * all the same, so that the guest-to-be can still say why it ends. */
static void reduce(int begun) {
  struct failure none = {0};
  bool is_reduced = privilege_reduce_init() == 0;
  bool is_told = write(begun, is_reduced ? &none : &failure, sizeof failure) == sizeof failure;
  /* One that has ended meanwhile needs no word. */
  if (!is_told && errno != EPIPE)
    _exit(125);
  close(begun);
}

int init_await(int begun) {
  struct failure told;
  ssize_t length;
  failure_begin("launch");
  do
    length = read(begun, &told, sizeof told);
  while (length < 0 && errno == EINTR);
  if (length != sizeof told) {
    if (length >= 0)
      errno = EPIPE;
    return failure_set("read", "init");
  }
  close(begun);
  if (told.error == 0)
    return 0;
  failure = told;
  return -1;
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

void init_run(pid_t guest, int status, int begun) {
  sigset_t all;
  siginfo_t information;
  sigfillset(&all);
  close_all_but(status, begun);
  reduce(begun);
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
