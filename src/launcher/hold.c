#include "hold.h"

#include "channel.h"
#include "failure.h"
#include "kernel.h"
#include "make.h"
#include "number.h"
#include "setup.h"
#include "tree.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define NAME "wolffia-holder"

/* Those connected, behind the listener. */
struct leases {
  struct pollfd *watched;
  unsigned count, room;
};

static void forget(struct leases *leases, unsigned index) {
  close(leases->watched[index].fd);
  leases->watched[index] = leases->watched[--leases->count];
}

/* A connection for which there is no room ends, and whoever wanted it does without. */
static void take_lease(struct leases *leases) {
  int lease = accept4(leases->watched[0].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (lease < 0)
    return;
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

/* False when the other side has gone. */
static bool answer(int lease) {
  struct event event = {0};
  char word;
  ssize_t length = recv(lease, &word, 1, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  if (length != 1 || word != HOLD_MEMORY)
    return false;
  int memory = kernel_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE);
  if (memory < 0)
    return false;
  event_raw(&event, &word, 1);
  bool told = channel_send_event(lease, &event, memory) == 0;
  free(event.bytes);
  close(memory);
  return told;
}

static _Noreturn void hold(int listener, int timeout_ms) {
  struct leases leases = {.room = 16};
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
  for (;;) {
    int ready = poll(leases.watched, leases.count, leases.count > 1 ? -1 : timeout_ms);
    if (ready == 0)
      _exit(0);
    if (ready < 0)
      continue;
    for (unsigned index = leases.count; --index > 0;)
      if (leases.watched[index].revents != 0 && !answer(leases.watched[index].fd))
        forget(&leases, index);
    if (leases.watched[0].revents != 0)
      take_lease(&leases);
  }
}

/* Nothing of whoever started it stays with it. */
static void detach(int listener) {
  setsid();
  kernel_close_range(0, (unsigned)listener - 1, 0);
  kernel_close_range((unsigned)listener + 1, ~0U, 0);
  prctl(PR_SET_NAME, NAME, 0, 0, 0);
  /* Its user's launchers join its user namespace, which the kernel lets them see by this only. */
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

int hold_begin(struct setup *setup, char **fields) {
  uint64_t seconds;
  char digits[21];
  int listener = tree_parse_descriptor(fields[0]), told = tree_parse_descriptor(fields[2]);
  if (listener < 0 || told < 0 || number_parse(fields[1], 10, INT_MAX / 1000, &seconds) < 0)
    return -1;
  if (listener != setup->listener)
    return failure_invalid(fields[0]);
  pid_t holder = fork();
  if (holder < 0)
    return failure_set("fork", "");
  if (holder == 0) {
    detach(listener);
    hold(listener, (int)seconds * 1000);
  }
  const char *pid = number_format(digits, (uint64_t)holder);
  return make_write_all(told, pid, strlen(pid)) < 0 ? failure_set("write", fields[2]) : close(told);
}
