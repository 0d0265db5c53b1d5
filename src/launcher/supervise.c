#include "supervise.h"

#include "channel.h"
#include "container.h"
#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "relay.h"
#include "setup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#define NANOSECONDS 1000000000LL
/* How long after its violent end the caller has to take what a guest had said. */
#define LAST_WORDS_NS NANOSECONDS

enum watched { WATCH_CONTROL, WATCH_CHANNEL, WATCH_INIT, WATCH_RELAYS, WATCH_COUNT = WATCH_RELAYS + 3 };

/* Everything the parent knows while it waits. */
struct supervision {
  struct setup *setup;
  struct container container;
  struct relay relays[3]; /* stdin, stdout, stderr */
  bool control_open, channel_open, dead, gone, started;
  int master;
  char command[256];
  size_t command_length;
  struct event failed; /* told once everything is gone */
  int wait_status;
  const char *reason; /* why the parent killed it, or NULL */
  int64_t go_time, exit_time;
  int64_t moved_time; /* when a byte of output was last passed on */
  uint64_t budget;
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * NANOSECONDS + time.tv_nsec;
}

/* A caller that has gone is noticed as the end of control. */
static void tell(const struct event *event) {
  size_t told = 0;
  while (told < event->length) {
    ssize_t written = send(DESCRIPTOR_CONTROL, event->bytes + told, event->length - told, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return;
    told += (size_t)written;
  }
}

static void tell_name(const char *name) {
  struct event event = {0};
  event_begin(&event, name);
  event_end(&event);
  tell(&event);
}

static void kill_for(struct supervision *state, const char *reason) {
  if (state->dead)
    return;
  if (state->reason == NULL)
    state->reason = reason;
  container_kill(&state->container);
}

static void begin_relays(struct supervision *state) {
  uint64_t *budget = state->setup->output_limit == SETUP_NO_LIMIT ? NULL : &state->budget;
  const int *ours = state->container.stdio;
  for (int index = 0; index < 3; index++)
    state->relays[index].ended = true;
  if (state->setup->stdio == STDIO_PIPES) {
    for (int index = 0; index < 3; index++)
      state->relays[index].ended = ours[index] < 0;
    if (ours[0] >= 0)
      relay_begin(&state->relays[0], 0, ours[0], NULL);
    relay_begin(&state->relays[1], ours[1], 1, budget);
    relay_begin(&state->relays[2], ours[2], 2, budget);
  }
}

/* The master serves both directions; each relay owns a descriptor of it. */
static void begin_terminal(struct supervision *state, int master) {
  struct termios settings;
  uint64_t *budget = state->setup->output_limit == SETUP_NO_LIMIT ? NULL : &state->budget;
  state->master = master;
  state->relays[1].ended = false;
  relay_begin(&state->relays[1], fcntl(master, F_DUPFD_CLOEXEC, 3), 1, budget);
  if (!state->setup->stdin_open)
    return;
  state->relays[0].ended = false;
  relay_begin(&state->relays[0], 0, fcntl(master, F_DUPFD_CLOEXEC, 3), NULL);
  state->relays[0].farewell = tcgetattr(master, &settings) == 0 ? (char)settings.c_cc[VEOF] : 4;
}

static void tell_created(const struct supervision *state, int guest, struct event *receipt) {
  struct event event = {0};
  const struct setup *setup = state->setup;
  event_begin(&event, "created");
  event_number(&event, "pid", state->container.pid);
  event_number(&event, "guest", guest);
  event_end(&event);
  event_open(receipt, "supervisor", '{');
  if (setup->output_limit == SETUP_NO_LIMIT)
    event_null(receipt, "output_bytes");
  else
    event_number(receipt, "output_bytes", (int64_t)setup->output_limit);
  if (setup->time_limit == SETUP_NO_LIMIT)
    event_null(receipt, "time_ms");
  else
    event_number(receipt, "time_ms", (int64_t)setup->time_limit);
  event_close(receipt, '}');
  event_end(receipt);
  event_raw(&event, receipt->bytes, receipt->length);
  tell(&event);
  free(event.bytes);
}

static void take_receipt(struct supervision *state, struct received *received) {
  state->container.guest = kernel_pidfd_open(received->sender);
  if (state->container.guest < 0) {
    failure_begin("launch");
    failure_set("pidfd_open", "");
    event_failed(&state->failed);
    kill_for(state, NULL);
    return;
  }
  if (received->descriptor >= 0)
    begin_terminal(state, received->descriptor);
  tell_created(state, received->sender, &received->event);
}

static void read_channel(struct supervision *state) {
  struct received received;
  int result = channel_receive(state->container.channel, &received);
  if (result == 0)
    return;
  if (result < 0 || received.kind == 0) {
    /* execve closed the guest's end, or the child is dead, which its pidfd tells. */
    state->channel_open = false;
    if (result >= 0 && state->go_time != 0 && state->failed.length == 0) {
      state->started = true;
      tell_name("started");
    }
    return;
  }
  if (received.kind == MESSAGE_RECEIPT)
    take_receipt(state, &received);
  else if (received.kind == MESSAGE_DONE)
    state->started = true;
  else if (received.kind == MESSAGE_FAILED && state->failed.length == 0) {
    event_raw(&state->failed, received.event.bytes, received.event.length);
    kill_for(state, NULL);
  }
  free(received.event.bytes);
}

static void obey_go(struct supervision *state) {
  if (state->container.guest < 0 || state->go_time != 0)
    return;
  state->go_time = now();
  channel_send(state->container.channel, MESSAGE_GO);
}

/* Two numbers at most follow a command; an unknown one is not ours to answer. */
static void obey(struct supervision *state, char *line) {
  const char *rest = line + strcspn(line, " ") + 1;
  if (strcmp(line, "go") == 0) {
    obey_go(state);
  } else if (strncmp(line, "signal ", 7) == 0) {
    if (state->container.guest >= 0)
      kernel_pidfd_send_signal(state->container.guest, (int)number_take(&rest));
  } else if (strncmp(line, "resize ", 7) == 0 && state->master >= 0) {
    struct winsize size = {.ws_row = (unsigned short)number_take(&rest)};
    rest += *rest == ' ';
    size.ws_col = (unsigned short)number_take(&rest);
    ioctl(state->master, TIOCSWINSZ, &size);
  }
}

static void read_control(struct supervision *state) {
  size_t room = sizeof state->command - 1 - state->command_length;
  ssize_t count = recv(DESCRIPTOR_CONTROL, state->command + state->command_length, room, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  /* The caller is gone, or speaks no language of ours. */
  if (count <= 0) {
    state->control_open = false;
    kill_for(state, NULL);
    return;
  }
  state->command_length += (size_t)count;
  state->command[state->command_length] = '\0';
  char *line = state->command, *end;
  for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    *end = '\0';
    obey(state, line);
  }
  state->command_length = strlen(line);
  memmove(state->command, line, state->command_length + 1);
}

static void take_exit(struct supervision *state) {
  state->wait_status = container_reap(&state->container);
  state->exit_time = now();
  state->dead = true;
  close(state->container.process);
  relay_end(&state->relays[0]);
  relay_finish(&state->relays[1]);
  relay_finish(&state->relays[2]);
}

/* Who ends by itself has its output kept for a reader however slow; who was killed must not live on by being unread. */
static bool was_killed(const struct supervision *state) {
  return state->reason != NULL || (WIFSIGNALED(state->wait_status) && WTERMSIG(state->wait_status) == SIGKILL);
}

/* When a dead guest's output is given up. A terminal whose other end somebody else was given has no end of its own. */
static int64_t last_words_deadline(const struct supervision *state) {
  bool is_terminal = state->setup->stdio == STDIO_TERMINAL;
  if (was_killed(state))
    return (is_terminal || state->moved_time < state->exit_time ? state->exit_time : state->moved_time) + LAST_WORDS_NS;
  return is_terminal && !state->relays[1].full ? state->exit_time + LAST_WORDS_NS : INT64_MAX;
}

/* When something is to be done though nothing happens, INT64_MAX for never. */
static int64_t next_deadline(const struct supervision *state) {
  if (state->dead)
    return last_words_deadline(state);
  if (state->go_time == 0 || state->setup->time_limit == SETUP_NO_LIMIT || state->reason != NULL)
    return INT64_MAX;
  return state->go_time + (int64_t)state->setup->time_limit * 1000000;
}

static void meet_deadline(struct supervision *state) {
  if (!state->dead) {
    kill_for(state, "timeout");
    return;
  }
  relay_end(&state->relays[1]);
  relay_end(&state->relays[2]);
  state->channel_open = false;
}

/* Milliseconds until then, -1 for never. Rounded up: waking early would be a busy loop. */
static int time_left(const struct supervision *state) {
  int64_t deadline = next_deadline(state);
  if (deadline == INT64_MAX)
    return -1;
  int64_t left = deadline - now();
  if (left <= 0)
    return 0;
  left = (left + 999999) / 1000000;
  return left > INT32_MAX ? INT32_MAX : (int)left;
}

static bool finished(const struct supervision *state) {
  return state->dead && !state->channel_open && state->relays[1].ended && state->relays[2].ended;
}

static void step_relays(struct supervision *state, const struct pollfd *watched) {
  for (int index = 0; index < 3; index++) {
    struct relay *relay = &state->relays[index];
    if (relay->ended || watched[index].revents == 0)
      continue;
    relay_step(relay);
    state->moved_time = now();
    if (relay->over_budget) {
      state->reason = "limit";
      if (!state->dead)
        container_kill(&state->container);
    }
  }
}

/* Waits for one thing to happen and deals with it. */
static void wait_once(struct supervision *state) {
  struct pollfd watched[WATCH_COUNT] = {
      {.fd = state->control_open ? DESCRIPTOR_CONTROL : -1, .events = POLLIN},
      {.fd = state->channel_open ? state->container.channel : -1, .events = POLLIN},
      {.fd = state->dead ? -1 : state->container.process, .events = POLLIN},
  };
  for (int index = 0; index < 3; index++)
    watched[WATCH_RELAYS + index] = relay_wait(&state->relays[index]);
  int timeout = time_left(state);
  /* A caller that has gone reads nothing: what it does not take at once is dropped. */
  if (state->dead && !state->control_open)
    timeout = 0;
  int count = poll(watched, WATCH_COUNT, timeout);
  /* A descriptor that is always ready must not put it off. */
  if (count == 0 || (count > 0 && now() >= next_deadline(state)))
    meet_deadline(state);
  if (count <= 0)
    return;
  if (watched[WATCH_CHANNEL].revents != 0)
    read_channel(state);
  if (watched[WATCH_CONTROL].revents != 0)
    read_control(state);
  step_relays(state, watched + WATCH_RELAYS);
  if (watched[WATCH_INIT].revents != 0)
    take_exit(state);
}

static void tell_exit(const struct supervision *state) {
  struct event event = {0};
  bool signaled = WIFSIGNALED(state->wait_status);
  event_begin(&event, "exited");
  if (signaled) {
    event_null(&event, "code");
    event_number(&event, "signal", WTERMSIG(state->wait_status));
  } else {
    event_number(&event, "code", WEXITSTATUS(state->wait_status));
    event_null(&event, "signal");
  }
  event_string(&event, "reason", state->reason != NULL ? state->reason : signaled ? "signaled" : "exited");
  event_number(&event, "duration_ns", state->go_time == 0 ? 0 : state->exit_time - state->go_time);
  event_end(&event);
  tell(&event);
}

static int tell_end(const struct supervision *state, const struct plan *plan) {
  if (state->failed.length > 0) {
    tell(&state->failed);
    return 125;
  }
  if (plan->arguments != NULL)
    tell_exit(state);
  else if (state->started && state->wait_status == 0)
    tell_name("done");
  else
    return 125;
  return 0;
}

static int fail_early(void) {
  struct event event = {0};
  event_failed(&event);
  tell(&event);
  return 125;
}

static int load(struct plan *plan, struct setup *setup, char **bytes, size_t *length) {
  failure_begin("plan");
  setup_clear(setup);
  return plan_read(DESCRIPTOR_PLAN, bytes, length) < 0 || plan_parse(*bytes, *length, plan) < 0 ||
                 plan_perform(plan, setup, PHASE_PARENT) < 0 || plan_check(plan, setup) < 0
             ? -1
             : 0;
}

int supervise_run(void) {
  static struct supervision state;
  static struct setup setup;
  struct plan plan;
  char *bytes;
  size_t length;
  if (load(&plan, &setup, &bytes, &length) < 0 || container_create(&state.container, &plan, &setup, bytes, length) < 0)
    return fail_early();
  signal(SIGPIPE, SIG_IGN);
  close(DESCRIPTOR_PLAN);
  state.setup = &setup;
  state.master = -1;
  state.control_open = state.channel_open = true;
  state.budget = setup.output_limit;
  begin_relays(&state);
  while (!finished(&state))
    wait_once(&state);
  return tell_end(&state, &plan);
}
