// Starts a program, waits for its end and says how long that took: one small parent for every mode that is a program,
// so that no mode pays for another's parent. Requests come on stdin: fields that end in NUL, a field with their number
// first. The answer is a line: nanoseconds, exit status (128+n after a signal).
//
//   plain PROGRAM ARGUMENT…                     stdin, stdout and stderr are /dev/null
//   launcher PLAN SECCOMP PROGRAM               wolffia's launcher: the plan on 3, the control socket on 4, the filter
//   on 5; its
//                                               receipt is read and answered with `go`, as the library does
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FIELDS = 256, FIRST_OWN_DESCRIPTOR = 32 };

enum { KEPT = 5 };

static char *environment[KEPT + 2] = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"};

static void fail(const char *what) {
  printf("error %s: %s\n", what, strerror(errno));
  fflush(stdout);
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// Above what a child inherits, so that dup2 in the child never meets its own source.
static int own_descriptor(int descriptor) {
  if (descriptor < 0)
    return -1;
  int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_OWN_DESCRIPTOR);
  close(descriptor);
  return moved;
}

static int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    continue;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void add_null_stdio(posix_spawn_file_actions_t *actions) {
  posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0);
}

static void run_plain(char **arguments) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  add_null_stdio(&actions);
  pid_t child;
  int64_t start_ns = now_ns();
  errno = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environment);
  if (errno != 0) {
    fail(arguments[0]);
  } else {
    int status = wait_for(child);
    printf("%lld %d\n", (long long)(now_ns() - start_ns), status);
    fflush(stdout);
  }
  posix_spawn_file_actions_destroy(&actions);
}

// Reads events to the end of the socket; lets the guest go when its receipt is there.
static void converse(int control) {
  static char events[1 << 16];
  bool went = false;
  size_t used = 0;
  for (ssize_t count; (count = read(control, events + used, sizeof events - 1 - used)) > 0;) {
    used += (size_t)count;
    events[used] = '\0';
    if (!went && strstr(events, "\"receipt\"") != NULL && events[used - 1] == '\n') {
      went = true;
      if (write(control, "go\n", 3) != 3)
        return;
    }
    if (used > sizeof events / 2)
      used = 0;
  }
}

static void run_launcher(char **arguments) {
  int pair[2];
  int plan = own_descriptor(open(arguments[0], O_RDONLY | O_CLOEXEC));
  int filter = own_descriptor(open(arguments[1], O_RDONLY | O_CLOEXEC));
  if (plan < 0 || filter < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return fail("plan");
  int control = own_descriptor(pair[0]);
  int theirs = own_descriptor(pair[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  add_null_stdio(&actions);
  posix_spawn_file_actions_adddup2(&actions, plan, 3);
  posix_spawn_file_actions_adddup2(&actions, theirs, 4);
  posix_spawn_file_actions_adddup2(&actions, filter, 5);
  pid_t child;
  int64_t start_ns = now_ns();
  errno = posix_spawn(&child, arguments[2], &actions, NULL, arguments + 2, environment);
  close(theirs);
  if (errno != 0) {
    fail(arguments[2]);
  } else {
    converse(control);
    int status = wait_for(child);
    printf("%lld %d\n", (long long)(now_ns() - start_ns), status);
    fflush(stdout);
  }
  posix_spawn_file_actions_destroy(&actions);
  close(control);
  close(plan);
  close(filter);
}

// One field of a request in memory of its own, or NULL at the end.
static char *read_field(void) {
  char *field = NULL;
  size_t size = 0;
  if (getdelim(&field, &size, '\0', stdin) >= 0)
    return field;
  free(field);
  return NULL;
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  // What peers need to find their state; everything else of the environment stays out.
  int next = 1;
  const char *const kept[KEPT] = {"XDG_RUNTIME_DIR", "HOME", "_CONTAINERS_USERNS_CONFIGURED",
                                  "_CONTAINERS_ROOTLESS_UID", "_CONTAINERS_ROOTLESS_GID"};
  for (size_t i = 0; i < KEPT; i++) {
    const char *value = getenv(kept[i]);
    if (value == NULL || asprintf(&environment[next], "%s=%s", kept[i], value) < 0)
      continue;
    next++;
  }
  for (char *count; (count = read_field()) != NULL;) {
    char *fields[MAX_FIELDS + 1] = {NULL};
    long number = strtol(count, NULL, 10);
    free(count);
    if (number < 2 || number > MAX_FIELDS)
      return 2;
    for (long i = 0; i < number; i++)
      if ((fields[i] = read_field()) == NULL)
        return 2;
    if (strcmp(fields[0], "plain") == 0)
      run_plain(fields + 1);
    else if (strcmp(fields[0], "launcher") == 0 && number >= 4)
      run_launcher(fields + 1);
    else
      return 2;
    for (long i = 0; i < number; i++)
      free(fields[i]);
  }
  return 0;
}
