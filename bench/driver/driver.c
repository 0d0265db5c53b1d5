// Starts a program, waits for its end and says how long that took: one small parent for every mode that is a program,
// so that no mode pays for another's parent. Requests come on stdin: fields that end in NUL, a field with their number
// first. The answer is a line: nanoseconds, exit status (128+n after a signal).
//
//   plain PROGRAM ARGUMENT…                     stdin, stdout and stderr are /dev/null
//   launcher PLAN SECCOMP PROGRAM               wolffia's launcher: the plan on 3, the control socket on 4, the filter
//   on 5; its
//                                               receipt is read and answered with `go`, as the library does
//   talk KEEP TURNS PROGRAM ARGUMENT…           stdout is read to its end, its last bytes are kept in the file KEEP; stdin
//                                               is empty, or with TURNS a pipe: after its first line the program is sent a
//                                               byte and answers with one, so many times. Two more numbers in the answer:
//                                               nanoseconds to the first byte, and those that all turns took
//   start PROGRAM ARGUMENT…                     as talk, but only until its first byte: the third number in the answer is its
//                                               pid, and it goes on
//   kill PID VICTIM                             kills VICTIM, a process below the started PID or that itself, and waits for
//                                               PID's end: nanoseconds from one to the other
//
// Whatever a program leaves behind becomes a child of the driver's, so all that a mode has running is found below it,
// and ends with it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// linux/close_range.h, which not every libc's header has.
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

enum { MAX_FIELDS = 256, FIRST_OWN_DESCRIPTOR = 32 };

enum { KEPT = 6 };

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

enum { KEPT_BYTES = 1 << 16, PATIENCE_MS = 60000 };

// What has been read of a program's stdout: the last bytes, and when the first one came.
struct heard {
  char bytes[2 * KEPT_BYTES];
  size_t used;
  int64_t first_ns;
};

// Waits for bytes; how many came, 0 at the end, less than that after an error or too long a silence.
static ssize_t hear(struct heard *heard, int output) {
  struct pollfd ready = {.fd = output, .events = POLLIN};
  int count;
  while ((count = poll(&ready, 1, PATIENCE_MS)) < 0 && errno == EINTR)
    continue;
  if (count == 0)
    errno = ETIMEDOUT;
  if (count <= 0)
    return -1;
  if (heard->used > KEPT_BYTES) {
    memmove(heard->bytes, heard->bytes + heard->used - KEPT_BYTES, KEPT_BYTES);
    heard->used = KEPT_BYTES;
  }
  ssize_t length = read(output, heard->bytes + heard->used, KEPT_BYTES);
  if (length <= 0)
    return length;
  if (heard->first_ns == 0)
    heard->first_ns = now_ns();
  heard->used += (size_t)length;
  return length;
}

// The whole conversation: the first line, the turns, the rest. The time of the turns, or -1.
static int64_t hear_out(struct heard *heard, int output, int input, long turns) {
  int64_t turns_ns = 0;
  if (turns > 0) {
    do
      if (hear(heard, output) <= 0)
        return -1;
    while (heard->bytes[heard->used - 1] != '\n');
    int64_t start_ns = now_ns();
    for (long i = 0; i < turns; i++)
      if (write(input, "x", 1) != 1 || hear(heard, output) <= 0)
        return -1;
    turns_ns = now_ns() - start_ns;
  }
  if (input >= 0)
    close(input);
  ssize_t length;
  while ((length = hear(heard, output)) > 0)
    continue;
  return length < 0 ? -1 : turns_ns;
}

static bool keep(const struct heard *heard, const char *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  size_t skipped = heard->used > KEPT_BYTES ? heard->used - KEPT_BYTES : 0;
  size_t length = heard->used - skipped;
  bool kept = file >= 0 && write(file, heard->bytes + skipped, length) == (ssize_t)length;
  close(file);
  return kept;
}

static void run_talk(char **arguments) {
  static struct heard heard;
  heard.used = 0;
  heard.first_ns = 0;
  long turns = strtol(arguments[1], NULL, 10);
  char **command = arguments + 2;
  int out[2], in[2] = {-1, -1};
  if (pipe2(out, O_CLOEXEC) < 0 || (turns > 0 && pipe2(in, O_CLOEXEC) < 0))
    return fail("pipe");
  int output = own_descriptor(out[0]), theirs = own_descriptor(out[1]);
  int input = own_descriptor(in[1]), their_input = own_descriptor(in[0]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  add_null_stdio(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs, 1);
  if (turns > 0)
    posix_spawn_file_actions_adddup2(&actions, their_input, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t child;
  int64_t start_ns = now_ns();
  int error = posix_spawnp(&child, command[0], &actions, &attributes, command, environment);
  close(theirs);
  close(their_input);
  if (error != 0) {
    errno = error;
    fail(command[0]);
    close(input);
  } else {
    int64_t turns_ns = hear_out(&heard, output, input, turns);
    int cause = errno;
    if (turns_ns < 0) {
      kill(-child, SIGKILL);
      close(input);
    }
    int status = wait_for(child);
    int64_t end_ns = now_ns();
    errno = cause;
    if (turns_ns < 0 && status == 128 + SIGKILL)
      fail("no answer");
    else if (!keep(&heard, arguments[0]))
      fail(arguments[0]);
    else
      printf("%lld %d %lld %lld\n", (long long)(end_ns - start_ns), status,
             (long long)(heard.first_ns == 0 ? 0 : heard.first_ns - start_ns), (long long)(turns_ns < 0 ? 0 : turns_ns));
    fflush(stdout);
  }
  close(output);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
}

enum { MAX_STARTED = 64 };

// Programs that were started and not yet waited for. A pid of 0 is a free place.
static struct started {
  pid_t pid;
  int output;
} started[MAX_STARTED];

static struct started *place_of(pid_t pid) {
  for (int i = 0; i < MAX_STARTED; i++)
    if (started[i].pid == pid)
      return &started[i];
  return NULL;
}

// Ends of what was left behind; those that were started are waited for when somebody asks.
static void reap_orphans(void) {
  siginfo_t ended = {0};
  while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0 && place_of(ended.si_pid) == NULL) {
    waitpid(ended.si_pid, NULL, 0);
    ended.si_pid = 0;
  }
}

static void run_start(char **arguments) {
  static struct heard heard;
  heard.used = 0;
  heard.first_ns = 0;
  struct started *place = place_of(0);
  int out[2];
  if (place == NULL) {
    errno = EMFILE;
    return fail("start");
  }
  if (pipe2(out, O_CLOEXEC) < 0)
    return fail("pipe");
  int output = own_descriptor(out[0]), theirs = own_descriptor(out[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  add_null_stdio(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs, 1);
  pid_t child;
  int64_t start_ns = now_ns();
  errno = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environment);
  close(theirs);
  posix_spawn_file_actions_destroy(&actions);
  if (errno != 0) {
    fail(arguments[0]);
    close(output);
    return;
  }
  if (hear(&heard, output) <= 0) {
    kill(child, SIGKILL);
    printf("error %s said nothing and ended with %d\n", arguments[0], wait_for(child));
    close(output);
  } else {
    *place = (struct started){.pid = child, .output = output};
    printf("%lld 0 %d\n", (long long)(heard.first_ns - start_ns), (int)child);
  }
  fflush(stdout);
}

static void run_kill(char **arguments) {
  pid_t child = (pid_t)strtol(arguments[0], NULL, 10), victim = (pid_t)strtol(arguments[1], NULL, 10);
  struct started *place = child > 0 ? place_of(child) : NULL;
  siginfo_t ended = {0};
  if (place == NULL || victim <= 1) {
    errno = ESRCH;
    return fail("kill");
  }
  waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT);
  int64_t start_ns = now_ns();
  if (ended.si_pid == 0 && kill(victim, SIGKILL) < 0)
    return fail("kill");
  int status = wait_for(child);
  if (ended.si_pid != 0)
    printf("error it had ended by itself, with %d\n", status);
  else
    printf("%lld %d\n", (long long)(now_ns() - start_ns), status);
  fflush(stdout);
  close(place->output);
  *place = (struct started){0};
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

enum { END_TRIES = 500, END_PAUSE_US = 2000 };

// Kills whatever is still below the driver. What that leaves behind becomes a child of the driver's in turn, so it looks
// again until nothing is there, or nothing that this user may kill.
static void end_what_is_left(void) {
  for (int tries = 0; tries < END_TRIES; tries++) {
    int pid;
    FILE *children = fopen("/proc/thread-self/children", "re");
    while (children != NULL && fscanf(children, "%d", &pid) == 1)
      kill(pid, SIGKILL);
    if (children != NULL)
      fclose(children);
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
      continue;
    if (ended < 0)
      return;
    usleep(END_PAUSE_US);
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  // Whatever the harness was started with is nobody's: a mode is not judged by what its caller's caller has left open.
  syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  // What peers need to find their state; everything else of the environment stays out.
  int next = 1;
  const char *const kept[KEPT] = {"XDG_RUNTIME_DIR", "HOME", "_CONTAINERS_USERNS_CONFIGURED",
                                  "_CONTAINERS_ROOTLESS_UID", "_CONTAINERS_ROOTLESS_GID", "DOCKER_HOST"};
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
    reap_orphans();
    if (strcmp(fields[0], "plain") == 0)
      run_plain(fields + 1);
    else if (strcmp(fields[0], "launcher") == 0 && number >= 4)
      run_launcher(fields + 1);
    else if (strcmp(fields[0], "talk") == 0 && number >= 4)
      run_talk(fields + 1);
    else if (strcmp(fields[0], "start") == 0)
      run_start(fields + 1);
    else if (strcmp(fields[0], "kill") == 0 && number == 3)
      run_kill(fields + 1);
    else
      return 2;
    for (long i = 0; i < number; i++)
      free(fields[i]);
  }
  end_what_is_left();
  return 0;
}
