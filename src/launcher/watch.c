#include "watch.h"

#include "channel.h"
#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "privilege.h"
#include "setup.h"
#include "supervision.h"
#include "watch_answer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define ARGUMENTS 6
/* Different calls that are listed; what comes after them is counted. */
#define ROWS  512
#define PATHS 2
/* Of a path; what is longer is cut off. */
#define PATH_LENGTH 256
/* Calls with a shape, and calls that are not told. */
#define SHAPES 1024
/* A report that is longer is none. */
#define REPORT_LENGTH (8 << 20)
/* How long a dead guest's watcher may take. */
#define PATIENCE_NS 5000000000LL

/* Since Linux 5.19: who waits for an answer is woken by signals that kill alone. */
#define FLAG_WAIT_KILLABLE (1UL << 5)

struct row {
  int number, error, paths;
  char wanted[ARGUMENTS + 1]; /* its shape */
  uint32_t values[ARGUMENTS];
  char text[PATHS][PATH_LENGTH];
  size_t lengths[PATHS];
  uint64_t count;
};

/* What is told of one call: `v` an argument's low half, `p` the path it points to, `-` nothing; `w`, flags of open(2),
 * that the path is told only when they mean to write. */
struct shape {
  int number;
  const char *wanted;
};

static struct shape shapes[SHAPES];
static unsigned shape_count;

/* More than the kernel's structures have today: it may know longer ones. */
union notification {
  struct seccomp_notif call;
  char room[512];
};
union response {
  struct seccomp_notif_resp answer;
  char room[512];
};

int watch_set(struct setup *setup, char **fields) {
  if (strcmp(fields[0], "refused") != 0 && strcmp(fields[0], "allowed") != 0)
    return failure_invalid(fields[0]);
  setup->watch = fields[0][0] == 'r' ? WATCH_REFUSED : WATCH_ALLOWED;
  setup->watch_untold = fields[1];
  setup->watch_shapes = fields[2];
  return 0;
}

/* A filter of its own, below which the first one still decides: NOTIF gives way to every refusal. */
static int tell_allowed(const char *untold, struct sock_filter *steps, unsigned *count) {
  unsigned length = 0;
  steps[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  /* The call that brings the watcher its descriptor: nobody could answer it. */
  steps[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 1);
  steps[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  while (*untold != '\0') {
    if (*untold < '0' || *untold > '9' || length + 3 > SHAPES)
      return failure_invalid(untold);
    steps[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number_take(&untold), 0, 1);
    steps[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    untold += *untold == ' ';
  }
  steps[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
  *count = length;
  return 0;
}

/* Where it says an errno the watcher is asked for it, which works out the same program. */
static void tell_refused(struct sock_fprog *program) {
  for (unsigned index = 0; index < program->len; index++) {
    struct sock_filter *step = &program->filter[index];
    if (step->code == (BPF_RET | BPF_K) && (step->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
      step->k = SECCOMP_RET_USER_NOTIF;
  }
}

static int load_program(const struct sock_fprog *program) {
  int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                              SECCOMP_FILTER_FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE, program);
  if (listener < 0 && errno == EINVAL)
    listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, program);
  return listener < 0 ? failure_set("seccomp", "SECCOMP_FILTER_FLAG_NEW_LISTENER") : listener;
}

int watch_load(struct setup *setup) {
  static struct sock_filter steps[SHAPES];
  struct sock_fprog second = {.filter = steps};
  unsigned length = 0;
  struct sock_fprog *program = &setup->seccomp;
  if (setup->watch == WATCH_REFUSED) {
    tell_refused(program);
  } else {
    if (tell_allowed(setup->watch_untold, steps, &length) < 0)
      return -1;
    second.len = (unsigned short)length;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) < 0)
      return failure_set("seccomp", "program");
    program = &second;
  }
  int listener = load_program(program);
  if (listener < 0)
    return -1;
  if (channel_send_with(setup->channel, MESSAGE_WATCH, listener) < 0)
    return failure_set("sendmsg", "watch");
  close(listener);
  return 0;
}

/* `NUMBER:SHAPE`, with a space between. */
static int read_shapes(const char *text) {
  while (*text != '\0') {
    if (*text < '0' || *text > '9' || shape_count == SHAPES)
      return failure_invalid(text);
    int number = (int)number_take(&text);
    if (*text != ':' || strspn(text + 1, "-vpw") != ARGUMENTS)
      return failure_invalid(text);
    shapes[shape_count++] = (struct shape){number, text + 1};
    text += 1 + ARGUMENTS;
    text += *text == ' ';
  }
  return 0;
}

static const char *shape_of(int number) {
  for (unsigned index = 0; index < shape_count; index++)
    if (shapes[index].number == number)
      return shapes[index].wanted;
  return "------";
}

/* The text at an address of the guest's, for people to read: it decides nothing. Page by page, since the next may not
 * be there. */
static size_t read_text(pid_t process, uint64_t address, char *text) {
  size_t length = 0;
  while (length < PATH_LENGTH) {
    size_t part = 4096 - (address + length) % 4096;
    if (part > PATH_LENGTH - length)
      part = PATH_LENGTH - length;
    struct iovec to = {text + length, part};
    struct iovec from = {NULL, part};
    uint64_t begin = address + length;
    memcpy(&from.iov_base, &begin, sizeof from.iov_base);
    long count = syscall(SYS_process_vm_readv, process, &to, 1L, &from, 1L, 0L);
    if (count <= 0)
      break;
    char *end = memchr(text + length, '\0', (size_t)count);
    if (end != NULL)
      return (size_t)(end - text);
    length += (size_t)count;
  }
  return length;
}

static bool is_same(const struct row *left, const struct row *right) {
  if (left->number != right->number || left->error != right->error || left->paths != right->paths ||
      memcmp(left->values, right->values, sizeof left->values) != 0)
    return false;
  for (int path = 0; path < left->paths; path++)
    if (left->lengths[path] != right->lengths[path] ||
        memcmp(left->text[path], right->text[path], left->lengths[path]) != 0)
      return false;
  return true;
}

struct table {
  struct row rows[ROWS];
  unsigned count;
  uint64_t more; /* calls that found no row */
};

static void note(struct table *table, const struct row *row) {
  for (unsigned index = 0; index < table->count; index++)
    if (is_same(&table->rows[index], row)) {
      table->rows[index].count++;
      return;
    }
  if (table->count == ROWS) {
    table->more++;
    return;
  }
  table->rows[table->count] = *row;
  table->rows[table->count++].count = 1;
}

static void describe(struct row *row, const struct seccomp_notif *call) {
  const char *wanted = shape_of(call->data.nr);
  memcpy(row->wanted, wanted, ARGUMENTS);
  for (int index = 0; index < ARGUMENTS; index++)
    if (wanted[index] == 'w' && (call->data.args[index] & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) == 0)
      return;
  for (int index = 0; index < ARGUMENTS; index++) {
    if (wanted[index] == 'v')
      row->values[index] = (uint32_t)call->data.args[index];
    if (wanted[index] == 'p' && row->paths < PATHS) {
      if (call->pid != 0 && call->data.args[index] != 0)
        row->lengths[row->paths] = read_text((pid_t)call->pid, call->data.args[index], row->text[row->paths]);
      row->paths++;
    }
  }
}

/* One call. A guest that died meanwhile has its memory read by nobody and no answer. */
static void answer(int listener, const struct setup *setup, struct table *table) {
  union notification told = {0};
  union response response = {0};
  struct row row = {0};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &told) < 0)
    return;
  response.answer.id = told.call.id;
  row.number = told.call.data.nr;
  if (setup->watch == WATCH_ALLOWED) {
    response.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  } else {
    uint32_t action = watch_answer(&setup->seccomp, &told.call.data);
    row.error = (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO ? (int)(action & SECCOMP_RET_DATA) : ENOSYS;
    response.answer.error = -row.error;
  }
  describe(&row, &told.call);
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &told.call.id) < 0)
    return;
  /* What was made is to find a row, whatever else it was made with. */
  if (setup->watch == WATCH_ALLOWED && table->count > ROWS / 2)
    row.paths = 0;
  note(table, &row);
  (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void tell_row(struct event *report, const struct row *row) {
  event_raw(report, "{\"number\":", 10);
  char digits[21];
  number_format(digits, (uint64_t)row->number);
  event_raw(report, digits, strlen(digits));
  event_number(report, "errno", row->error);
  event_number(report, "count", (int64_t)row->count);
  event_open(report, "values", '{');
  for (int index = 0; index < ARGUMENTS; index++)
    if (row->wanted[index] == 'v')
      event_number(report, (const char[]){(char)('0' + index), '\0'}, row->values[index]);
  event_close(report, '}');
  event_open(report, "paths", '{');
  for (int index = 0, path = 0; index < ARGUMENTS; index++)
    if (row->wanted[index] == 'p' && path < row->paths) {
      event_utf8(report, (const char[]){(char)('0' + index), '\0'}, row->text[path], row->lengths[path]);
      path++;
    }
  event_close(report, '}');
  event_raw(report, "}", 1);
}

static void tell_table(int socket, const struct table *table) {
  struct event report = {0};
  event_begin(&report, "watched");
  event_number(&report, "more", (int64_t)table->more);
  event_open(&report, "calls", '[');
  for (unsigned index = 0; index < table->count; index++) {
    if (index > 0)
      event_raw(&report, ",", 1);
    tell_row(&report, &table->rows[index]);
  }
  event_close(&report, ']');
  event_end(&report);
  for (size_t told = 0; told < report.length;) {
    ssize_t written = send(socket, report.bytes + told, report.length - told, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return;
    told += (size_t)written;
  }
}

/* Nothing of the parent's: an end of a pipe that it held would keep a reader waiting. */
static void keep_two(int first, int second) {
  unsigned low = (unsigned)(first < second ? first : second), high = (unsigned)(first < second ? second : first);
  if (low > 0)
    kernel_close_range(0, low - 1, 0);
  if (low + 1 < high)
    kernel_close_range(low + 1, high - 1, 0);
  kernel_close_range(high + 1, ~0U, 0);
}

static _Noreturn void run(int listener, int socket, const struct setup *setup) {
  static struct table table;
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  keep_two(listener, socket);
  struct pollfd watched[2] = {{.fd = listener, .events = POLLIN}, {.fd = socket, .events = POLLIN}};
  for (;;) {
    if (poll(watched, 2, -1) < 0)
      continue;
    if ((watched[0].revents & POLLIN) != 0)
      answer(listener, setup, &table);
    else if (watched[0].revents != 0)
      watched[0].fd = -1;
    /* The parent says no more: the guest is dead. */
    if (watched[1].revents != 0)
      break;
  }
  tell_table(socket, &table);
  _exit(0);
}

int watch_begin(struct watcher *watcher, const struct plan *plan, struct setup *setup, int listener) {
  int ends[2];
  failure_begin("seccomp-watch");
  if (listener < 0)
    return failure_invalid("no descriptor");
  if (privilege_read_filter(plan, setup) < 0 || read_shapes(setup->watch_shapes) < 0)
    return -1;
  failure_begin("seccomp-watch");
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return failure_set("socketpair", "");
  watcher->process = fork();
  if (watcher->process == 0)
    run(listener, ends[1], setup);
  close(listener);
  close(ends[1]);
  watcher->socket = ends[0];
  return watcher->process < 0 ? failure_set("fork", "") : 0;
}

/* -1 when it took too long, or said too much. */
static int read_report(int socket, struct event *event) {
  char part[4096];
  int64_t deadline = supervision_now() + PATIENCE_NS;
  struct pollfd watched = {.fd = socket, .events = POLLIN};
  for (;;) {
    int64_t left = (deadline - supervision_now()) / 1000000;
    if (left <= 0 || event->length > REPORT_LENGTH)
      return -1;
    if (poll(&watched, 1, (int)left) <= 0)
      continue;
    ssize_t count = recv(socket, part, sizeof part, 0);
    if (count == 0)
      return 0;
    if (count < 0)
      return -1;
    event_raw(event, part, (size_t)count);
  }
}

void watch_end(struct watcher *watcher, struct event *event) {
  static const int says_no_more = SHUT_WR;
  if (watcher->socket < 0)
    return;
  syscall(SYS_shutdown, (long)watcher->socket, (long)says_no_more);
  if (read_report(watcher->socket, event) < 0)
    event->length = 0;
  close(watcher->socket);
  watcher->socket = -1;
  kill(watcher->process, SIGKILL);
  while (waitpid(watcher->process, NULL, 0) < 0 && errno == EINTR)
    ;
}
