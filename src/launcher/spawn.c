#include "spawn.h"

#include "event.h"
#include "kernel.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define NAME    "wolffia-spawner"
#define CHANNEL 3
/* Sockets to be given away have numbers from here on: none is among those that a launcher knows its own by. */
#define SOCKETS_FIRST   16
#define STARTS_MAXIMUM  64
#define REQUEST_MAXIMUM 8192
/* `start`, a number, the program, its filter, how many descriptors; then these. */
#define HEAD          5
#define WORDS_MAXIMUM (HEAD + SOCKETS_FIRST)

struct start {
  uint64_t number;
  pid_t pid;
  int process;
};

struct spawner {
  struct start running[STARTS_MAXIMUM];
  unsigned count;
  char request[REQUEST_MAXIMUM];
  size_t length;
  bool last;
};

/* -1 when it could not be said whole. */
static int send_all(int socket, const struct event *event) {
  for (size_t told = 0; told < event->length;) {
    ssize_t written = send(socket, event->bytes + told, event->length - told, MSG_NOSIGNAL);
    if (written < 0 && errno != EINTR)
      return -1;
    told += written < 0 ? 0 : (size_t)written;
  }
  return 0;
}

/* What is not said would be waited for: an end of the channel is a word, too, and leaves what runs as it is. */
static void tell(int channel, struct event *event) {
  event_end(event);
  if (send_all(channel, event) < 0)
    _exit(125);
  free(event->bytes);
}

static void tell_refused(int channel, uint64_t start, int error) {
  struct event event = {0};
  event_begin(&event, "refused");
  event_number(&event, "start", (int64_t)start);
  event_number(&event, "errno", error);
  tell(channel, &event);
}

static void tell_ended(uint64_t start, int status) {
  struct event event = {0};
  event_begin(&event, "ended");
  event_number(&event, "start", (int64_t)start);
  if (WIFSIGNALED(status)) {
    event_null(&event, "code");
    event_number(&event, "signal", WTERMSIG(status));
  } else {
    event_number(&event, "code", WEXITSTATUS(status));
    event_null(&event, "signal");
  }
  tell(CHANNEL, &event);
}

/* On the launcher's own control socket, before anything that it says itself. */
static int tell_launched(void) {
  struct event event = {0};
  event_begin(&event, "launched");
  event_number(&event, "pid", getpid());
  event_end(&event);
  return send_all(DESCRIPTOR_CONTROL, &event);
}

static int give(const char *number, int target) {
  uint64_t source;
  /* 0 to 2 lead nowhere already. */
  if (*number == 0) {
    if (target > 2)
      close(target);
    return 0;
  }
  if (number_parse(number, 10, 65535, &source) < 0 || source < SOCKETS_FIRST) {
    errno = EBADF;
    return -1;
  }
  return dup2((int)source, target);
}

static int open_filter(const char *path) {
  int filter = open(path, O_RDONLY);
  if (filter < 0 || filter == DESCRIPTOR_SECCOMP)
    return filter;
  return dup2(filter, DESCRIPTOR_SECCOMP) < 0 ? -1 : close(filter);
}

static _Noreturn void become_launcher(uint64_t start, char **words, unsigned descriptors) {
  char *program = words[2], *filter = words[3];
  int channel = fcntl(CHANNEL, F_DUPFD_CLOEXEC, SOCKETS_FIRST);
  bool given = true;
  setsid();
  for (unsigned target = 0; target < descriptors && given; target++)
    given = give(words[HEAD + target], (int)target) >= 0;
  if (given && (*filter == 0 || open_filter(filter) >= 0) && tell_launched() == 0) {
    char *arguments[] = {program, NULL}, *environment[] = {NULL};
    execve(program, arguments, environment);
  }
  tell_refused(channel, start, errno);
  _exit(127);
}

static void close_given(char **words, unsigned descriptors) {
  uint64_t source;
  for (unsigned index = 0; index < descriptors; index++)
    if (*words[HEAD + index] != 0 && number_parse(words[HEAD + index], 10, 65535, &source) == 0 &&
        source >= SOCKETS_FIRST)
      close((int)source);
}

static void begin(struct spawner *spawner, char **words, unsigned descriptors) {
  uint64_t start;
  if (number_parse(words[1], 10, INT64_MAX, &start) < 0)
    _exit(125);
  pid_t pid = -1;
  errno = EAGAIN;
  if (spawner->count < STARTS_MAXIMUM)
    pid = fork();
  if (pid == 0)
    become_launcher(start, words, descriptors);
  int process = pid < 0 ? -1 : kernel_pidfd_open(pid), error = errno;
  close_given(words, descriptors);
  if (process >= 0) {
    spawner->running[spawner->count++] = (struct start){start, pid, process};
    return;
  }
  /* Its end could not be told. */
  if (pid > 0) {
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
      ;
  }
  tell_refused(CHANNEL, start, error);
}

/* Takes one request from the beginning of what has been read: its length, or 0 when it is not whole. */
static size_t take_request(struct spawner *spawner) {
  char *words[WORDS_MAXIMUM], *at = spawner->request, *end = spawner->request + spawner->length;
  uint64_t descriptors = 0;
  unsigned count = 0, wanted = 1;
  while (count < wanted) {
    char *nul = memchr(at, 0, (size_t)(end - at));
    if (nul == NULL)
      return 0;
    words[count++] = at;
    at = nul + 1;
    if (count == 1 && strcmp(words[0], "start") == 0)
      wanted = HEAD;
    else if (count == HEAD) {
      if (number_parse(words[HEAD - 1], 10, SOCKETS_FIRST, &descriptors) < 0)
        _exit(125);
      wanted += (unsigned)descriptors;
    }
  }
  if (count == 1)
    spawner->last = true;
  else
    begin(spawner, words, (unsigned)descriptors);
  return (size_t)(at - spawner->request);
}

static void read_requests(struct spawner *spawner) {
  size_t room = sizeof spawner->request - spawner->length;
  ssize_t length = recv(CHANNEL, spawner->request + spawner->length, room, MSG_DONTWAIT);
  if (length < 0 && (errno == EINTR || errno == EAGAIN))
    return;
  /* Whoever wanted launchers is gone, and each of them sees so by itself. */
  if (length <= 0)
    _exit(room == 0 ? 125 : 0);
  spawner->length += (size_t)length;
  size_t taken;
  while (spawner->length > 0 && (taken = take_request(spawner)) > 0) {
    spawner->length -= taken;
    memmove(spawner->request, spawner->request + taken, spawner->length);
  }
}

static void take_end(struct spawner *spawner, unsigned index) {
  struct start *start = &spawner->running[index];
  int status;
  while (waitpid(start->pid, &status, 0) < 0)
    if (errno != EINTR)
      _exit(125);
  close(start->process);
  tell_ended(start->number, status);
  *start = spawner->running[--spawner->count];
}

void spawn_run(void) {
  static struct spawner spawner;
  prctl(PR_SET_NAME, NAME, 0, 0, 0);
  kernel_close_range(CHANNEL, ~0U, CLOSE_RANGE_CLOEXEC);
  while (!spawner.last || spawner.count > 0) {
    struct pollfd watched[1 + STARTS_MAXIMUM];
    unsigned count = spawner.count;
    watched[0] = (struct pollfd){.fd = CHANNEL, .events = POLLIN};
    for (unsigned index = 0; index < count; index++)
      watched[1 + index] = (struct pollfd){.fd = spawner.running[index].process, .events = POLLIN};
    if (poll(watched, 1 + count, -1) < 0 && errno != EINTR)
      _exit(125);
    for (unsigned index = count; index-- > 0;)
      if (watched[1 + index].revents != 0)
        take_end(&spawner, index);
    if (watched[0].revents != 0)
      read_requests(&spawner);
  }
  _exit(0);
}
