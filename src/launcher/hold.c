#include "hold.h"

#include "failure.h"
#include "kernel.h"
#include "make.h"
#include "number.h"
#include "setup.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define NAME "wolffia-holder"

/* Those connected, behind the listener. */
struct leases {
  struct pollfd *watched;
  unsigned count, room;
  int spare; /* a descriptor to be given up for one that there is no room for */
};

static void forget(struct leases *leases, unsigned index) {
  close(leases->watched[index].fd);
  leases->watched[index] = leases->watched[--leases->count];
}

static void hold_spare(struct leases *leases) {
  if (leases->spare < 0)
    leases->spare = fcntl(leases->watched[0].fd, F_DUPFD_CLOEXEC, 0);
}

/* Without room for it a connection ends, and whoever wanted it does without: it would be told of for ever. */
static void refuse(struct leases *leases) {
  close(leases->spare);
  leases->spare = -1;
  int lease = accept4(leases->watched[0].fd, NULL, NULL, SOCK_CLOEXEC);
  if (lease >= 0)
    close(lease);
}

static void take_lease(struct leases *leases) {
  hold_spare(leases);
  int lease = accept4(leases->watched[0].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (lease < 0) {
    if (errno == EMFILE || errno == ENFILE)
      refuse(leases);
    return;
  }
  if (leases->count == leases->room) {
    unsigned room = leases->room * 2;
    struct pollfd *watched = realloc(leases->watched, room * sizeof *watched);
    if (watched == NULL) {
      close(lease);
      return;
    }
    leases->watched = watched;
    leases->room = room;
  }
  leases->watched[leases->count++] = (struct pollfd){.fd = lease, .events = POLLIN};
}

/* Nobody has anything to say: what can be read is the end. */
static bool has_gone(int lease) {
  char byte;
  ssize_t length = recv(lease, &byte, 1, MSG_DONTWAIT);
  return length >= 0 || (errno != EAGAIN && errno != EINTR);
}

static _Noreturn void hold(int listener, int timeout_ms) {
  struct leases leases = {.room = 16, .spare = -1};
  struct rlimit files;
  /* A lease is a descriptor. */
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  leases.watched = malloc(leases.room * sizeof *leases.watched);
  if (leases.watched == NULL)
    _exit(125);
  leases.watched[leases.count++] = (struct pollfd){.fd = listener, .events = POLLIN};
  hold_spare(&leases);
  for (;;) {
    int ready = poll(leases.watched, leases.count, leases.count > 1 ? -1 : timeout_ms);
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready <= 0)
      _exit(ready == 0 ? 0 : 125);
    for (unsigned index = leases.count; --index > 0;)
      if (leases.watched[index].revents != 0 && has_gone(leases.watched[index].fd))
        forget(&leases, index);
    if (leases.watched[0].revents != 0)
      take_lease(&leases);
  }
}

/* Its user's launchers may look into it from here on, without which the kernel lets none join it. */
static int tell_pid(int told) {
  char digits[21];
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  const char *pid = number_format(digits, (uint64_t)getpid());
  return make_write_all(told, pid, strlen(pid));
}

/* Nothing of whoever started it stays with it. */
static void detach(int listener) {
  setsid();
  kernel_close_range(0, (unsigned)listener - 1, 0);
  kernel_close_range((unsigned)listener + 1, ~0U, 0);
  prctl(PR_SET_NAME, NAME, 0, 0, 0);
}

int hold_begin(struct setup *setup, char **fields) {
  uint64_t seconds;
  int listener = tree_parse_descriptor(fields[0]), told = tree_parse_descriptor(fields[2]);
  if (listener < 0 || told < 0 || number_parse(fields[1], 10, INT_MAX / 1000, &seconds) < 0)
    return -1;
  if (listener != setup->listener)
    return failure_invalid(fields[0]);
  pid_t holder = fork();
  if (holder < 0)
    return failure_set("fork", "");
  if (holder == 0) {
    if (tell_pid(told) < 0)
      _exit(125);
    detach(listener);
    hold(listener, (int)seconds * 1000);
  }
  return close(told);
}
