// Attempts that touch: the network, files outside, the kernel's less trodden
// calls.
#include "thief.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_through_symlink(const struct errand *errand, const char *target, const char *rest, int flags) {
  if (errand->scratch == NULL)
    return -1;
  char link[4096];
  char path[8200];
  snprintf(link, sizeof link, "%s/thief.link", errand->scratch);
  snprintf(path, sizeof path, "%s%s", link, rest);
  (void)mkdir(errand->scratch, 0700);
  (void)unlink(link);
  if (symlink(target, link) != 0)
    return -1;
  int descriptor = open(path, flags);
  (void)unlink(link);
  return descriptor;
}

static int open_through_descriptors(const char *path, int flags) {
  char above[4200];
  snprintf(above, sizeof above, "../../../../../../../../../../..%s", path);
  for (int inherited = 3; inherited < 64; inherited++) {
    int descriptor = openat(inherited, above, flags);
    if (descriptor >= 0)
      return descriptor;
  }
  return -1;
}

int reach_open(const struct errand *errand, const char *path, int flags, const char **way) {
  int descriptor = open(path, flags);
  int error = errno;
  *way = "its path";
  if (descriptor >= 0)
    return descriptor;

  char other[4200];
  *way = "a path above the root";
  snprintf(other, sizeof other, "/../../../../../../../..%s", path);
  if ((descriptor = open(other, flags)) >= 0)
    return descriptor;

  *way = "the root of process 1";
  snprintf(other, sizeof other, "/proc/1/root%s", path);
  if ((descriptor = open(other, flags)) >= 0)
    return descriptor;

  *way = "a symlink";
  if ((descriptor = open_through_symlink(errand, path, "", flags)) >= 0)
    return descriptor;

  *way = "a symlink to the root";
  if ((descriptor = open_through_symlink(errand, "/proc/1/root", path, flags)) >= 0)
    return descriptor;

  *way = "an inherited descriptor";
  if ((descriptor = open_through_descriptors(path, flags)) >= 0)
    return descriptor;
  errno = error;
  return -1;
}

struct result reach_outside(const struct errand *errand) {
  if (errand->outside == NULL)
    return result_of(SKIPPED, 0, 0, "no outside=");
  const char *way;
  // Never created: a file that does not exist already is none of the user's.
  int descriptor = reach_open(errand, errand->outside, O_WRONLY | O_APPEND, &way);
  if (descriptor < 0)
    return result_of(REFUSED, 0, 1, "%s", errno_name(errno));
  static const char line[] = "# the thief was here\n";
  bool written = write(descriptor, line, sizeof line - 1) == (ssize_t)sizeof line - 1;
  int error = errno;
  close(descriptor);
  return written ? result_of(GOT, 1, 1, "by %s", way) : result_of(REFUSED, 0, 1, "%s", errno_name(error));
}

struct result reach_network(const struct errand *errand) {
  if (errand->port == 0)
    return result_of(SKIPPED, 0, 0, "no port=");
  int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (connection < 0)
    return result_of(REFUSED, 0, 1, "%s", errno_name(errno));
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)errand->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int error = connect(connection, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    struct pollfd writable = {.fd = connection, .events = POLLOUT};
    socklen_t length = sizeof error;
    error = poll(&writable, 1, 1000) == 1 ? 0 : ETIMEDOUT;
    if (error == 0)
      (void)getsockopt(connection, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error == 0 && send(connection, "loot\n", 5, MSG_NOSIGNAL) != 5)
    error = errno;
  close(connection);
  if (error != 0)
    return result_of(REFUSED, 0, 1, "%s", errno_name(error));
  return result_of(GOT, 1, 1, "connected and sent");
}

static int call_keyctl(void) {
  return (int)syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -4 /* user keyring */, 0);
}

// In a child: a process that has made one is another process.
static int call_unshare(void) {
  pid_t child = fork();
  if (child == 0)
    _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
  int status = 1;
  if (child < 0)
    return -1;
  waitpid(child, &status, 0);
  errno = EPERM;
  return status == 0 ? 0 : -1;
}

static int call_io_uring(void) {
  struct io_uring_params parameters = {0};
  return (int)syscall(SYS_io_uring_setup, 1, &parameters);
}

static int call_userfaultfd(void) {
  return (int)syscall(SYS_userfaultfd, 1 /* user mode only */);
}

static int call_perf_event(void) {
  struct perf_event_attr attributes = {
      .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .exclude_kernel = 1, .exclude_hv = 1};
  return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static int call_vsock(void) {
  return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int call_kernel_crypto(void) {
  return socket(AF_ALG, SOCK_SEQPACKET, 0);
}

struct result reach_kernel(const struct errand *errand) {
  (void)errand;
  static const struct {
    const char *name;
    int (*call)(void);
    bool is_descriptor;
  } calls[] = {
      {"keyctl", call_keyctl, false},       {"user-namespace", call_unshare, false},
      {"io_uring", call_io_uring, true},    {"userfaultfd", call_userfaultfd, true},
      {"perf", call_perf_event, true},      {"vsock", call_vsock, true},
      {"af_alg", call_kernel_crypto, true},
  };
  enum { CALLS = sizeof calls / sizeof calls[0] };
  char names[112] = "";
  int allowed = 0;
  int error = 0;
  for (size_t i = 0; i < CALLS; i++) {
    int value = calls[i].call();
    if (value < 0) {
      error = errno;
      continue;
    }
    if (calls[i].is_descriptor)
      close(value);
    allowed++;
    if (allowed > 1)
      strcat(names, " ");
    strcat(names, calls[i].name);
  }
  if (allowed > 0)
    return result_of(GOT, allowed, CALLS, "%s", names);
  return result_of(REFUSED, 0, CALLS, "%s", errno_name(error));
}
