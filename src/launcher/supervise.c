#include "supervise.h"

#include "cgroup.h"
#include "channel.h"
#include "command.h"
#include "control.h"
#include "ending.h"
#include "failure.h"
#include "kernel.h"
#include "listener.h"
#include "output.h"
#include "plan.h"
#include "supervision.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define NANOSECONDS 1000000000LL
/* How long after its violent end the caller has to take what a guest had said. */
#define LAST_WORDS_NS NANOSECONDS

/* MAX_ERRNO of the kernel. */
#define ERRNO_MAXIMUM 4095

enum watched {
  WATCH_CONTROL,
  WATCH_CHANNEL,
  WATCH_INIT,
  WATCH_BEAT,
  WATCH_RELAYS,
  WATCH_CALLERS = WATCH_RELAYS + 3,
  WATCH_MAXIMUM = WATCH_CALLERS + CALLERS_MAXIMUM + 2,
};

int supervise_set_outliving(struct setup *setup, char **fields) {
  (void)fields;
  setup->outlives = true;
  return 0;
}

int64_t supervision_now(void) {
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
    if (written < 0) {
      /* What was not said must not be waited for. */
      shutdown(DESCRIPTOR_CONTROL, SHUT_RDWR);
      return;
    }
    told += (size_t)written;
  }
}

void supervision_tell_name(const char *name) {
  struct event event = {0};
  event_begin(&event, name);
  event_end(&event);
  tell(&event);
}

void supervision_kill(struct supervision *state, const char *reason) {
  if (state->dead)
    return;
  if (state->reason == NULL)
    state->reason = reason;
  container_kill(&state->container);
  cgroup_thaw(state->setup);
}

static void tell_created(const struct supervision *state, int guest, struct event *receipt) {
  struct event event = {0};
  const struct setup *setup = state->setup;
  event_begin(&event, "created");
  event_number(&event, "pid", state->container.pid);
  event_number(&event, "guest", guest);
  if (setup->holder != 0)
    event_number(&event, "holder", setup->holder);
  else
    event_null(&event, "holder");
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
  const char *pause = setup->cgroup_freezer != NULL ? "freezer" : "signals";
  event_text(receipt, "pause", pause, strlen(pause));
  event_close(receipt, '}');
  event_end(receipt);
  event_raw(&event, receipt->bytes, receipt->length);
  tell(&event);
  free(event.bytes);
}

static void fail_launch(struct supervision *state, const char *call) {
  failure_begin("launch");
  failure_set(call, "");
  if (state->failed.length == 0)
    event_failed(&state->failed);
  supervision_kill(state, NULL);
}

static void take_receipt(struct supervision *state, struct received *received) {
  state->container.guest = kernel_pidfd_open(received->sender);
  if (state->container.guest < 0) {
    fail_launch(state, "pidfd_open");
    return;
  }
  if (received->descriptor >= 0)
    output_begin_terminal(state, received->descriptor);
  tell_created(state, received->sender, &received->event);
}

static void take_tree(struct supervision *state, const struct received *received) {
  if (tree_take(&state->returns, &state->container, received) == 0)
    return;
  event_failed(&state->failed);
  supervision_kill(state, NULL);
}

static void take_listener(struct supervision *state, const struct received *received) {
  if (watch_begin(&state->watcher, state->plan, state->setup, received->descriptor) == 0)
    return;
  event_failed(&state->failed);
  supervision_kill(state, NULL);
}

/* After its receipt a guest that joined a container is seen by others in it, who may have taken its end of the channel:
 * nothing but an errno is believed, and nothing that comes with it is kept. */
static void take_refusal(struct supervision *state, const struct received *received) {
  int error = EPROTO;
  if (received->descriptor >= 0)
    close(received->descriptor);
  if (received->kind == MESSAGE_REFUSED && received->event.length == sizeof error)
    memcpy(&error, received->event.bytes, sizeof error);
  if (error <= 0 || error > ERRNO_MAXIMUM)
    error = EPROTO;
  if (state->failed.length == 0) {
    failure_begin("exec");
    errno = error;
    failure_set("execve", state->plan->arguments[0]);
    event_failed(&state->failed);
  }
  supervision_kill(state, NULL);
}

static void end_channel(struct supervision *state) {
  state->channel_open = false;
  if (state->go_time == 0 || state->failed.length > 0)
    return;
  state->started = true;
  state->beat_time = supervision_now() + (int64_t)state->setup->beat_interval * 1000000;
  supervision_tell_name("started");
}

static void read_channel(struct supervision *state) {
  struct received received;
  int result = channel_receive(state->container.channel, &received);
  if (result == 0)
    return;
  if (result < 0) {
    state->channel_open = false;
    if (state->go_time == 0)
      fail_launch(state, "recvmsg");
    return;
  }
  if (received.kind == 0) {
    /* execve closed the guest's end, or the child is dead, which its pidfd tells. */
    end_channel(state);
    return;
  }
  if (state->container.guest >= 0)
    take_refusal(state, &received);
  else if (received.kind == MESSAGE_RECEIPT)
    take_receipt(state, &received);
  else if (received.kind == MESSAGE_TREE)
    take_tree(state, &received);
  else if (received.kind == MESSAGE_WATCH)
    take_listener(state, &received);
  else if (received.kind == MESSAGE_DONE)
    state->started = true;
  else if (received.kind == MESSAGE_FAILED && state->failed.length == 0) {
    event_raw(&state->failed, received.event.bytes, received.event.length);
    supervision_kill(state, NULL);
  }
  free(received.event.bytes);
}

/* SIGKILL, or a shell's word for it, of somebody in a group where the kernel has killed for memory. */
static void note_memory(struct supervision *state) {
  int status = state->wait_status;
  bool killed = WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 128 + SIGKILL;
  if (killed && state->reason == NULL && cgroup_has_killed(state->setup))
    state->reason = "out-of-memory";
}

static void take_exit(struct supervision *state) {
  state->wait_status = container_reap(&state->container);
  state->exit_time = supervision_now();
  state->dead = true;
  note_memory(state);
  cgroup_remove(state->setup);
  close(state->container.process);
  /* Others in a container that goes on may have taken the other end, and must keep nobody waiting. */
  if (state->container.joins && state->channel_open)
    read_channel(state);
  if (state->container.joins && state->channel_open)
    end_channel(state);
  relay_end(&state->relays[0]);
  callers_end_input(&state->callers);
  relay_finish(&state->relays[1]);
  relay_finish(&state->relays[2]);
}

static void take_beat_end(struct supervision *state) {
  while (waitpid(state->beat_pid, NULL, 0) < 0 && errno == EINTR)
    ;
  close(state->beat);
  state->beat = -1;
  state->beat_time = supervision_now() + (int64_t)state->setup->beat_interval * 1000000;
}

static void begin_beat(struct supervision *state) {
  state->beat_pid = command_start(&state->setup->beat_command, &state->setup->command_environment);
  if (state->beat_pid > 0)
    state->beat = kernel_pidfd_open(state->beat_pid);
  if (state->beat < 0)
    state->beat_time = supervision_now() + (int64_t)state->setup->beat_interval * 1000000;
}

/* Who ends by itself has its output kept for a reader however slow; who was killed must not live on by being unread. */
static bool was_killed(const struct supervision *state) {
  return state->reason != NULL || (WIFSIGNALED(state->wait_status) && WTERMSIG(state->wait_status) == SIGKILL);
}

/* When a dead guest's output is given up. A terminal whose other end somebody else was given has no end of its own. */
static int64_t last_words_deadline(const struct supervision *state) {
  bool is_terminal = state->setup->stdio == STDIO_TERMINAL;
  /* Of a container that is nobody's only others are left, any of which may be stopped. */
  if (was_killed(state) || state->outlives)
    return (is_terminal || state->moved_time < state->exit_time ? state->exit_time : state->moved_time) + LAST_WORDS_NS;
  return is_terminal && !state->relays[1].full ? state->exit_time + LAST_WORDS_NS : INT64_MAX;
}

static int64_t next_beat(const struct supervision *state) {
  bool wanted = state->setup->beat_command.count > 0 && state->started && !state->dead && state->beat < 0;
  return wanted ? state->beat_time : INT64_MAX;
}

/* When the guest is killed, or its last words are given up; INT64_MAX for never. */
static int64_t next_end(const struct supervision *state) {
  if (state->dead)
    return last_words_deadline(state);
  return state->reason != NULL ? INT64_MAX : state->deadline;
}

/* When something is to be done though nothing happens, INT64_MAX for never. */
static int64_t next_deadline(const struct supervision *state) {
  int64_t end = next_end(state), beat = next_beat(state);
  return end < beat ? end : beat;
}

static void give_up_output(struct supervision *state) {
  relay_end(&state->relays[1]);
  relay_end(&state->relays[2]);
  state->channel_open = false;
}

static void meet_deadline(struct supervision *state) {
  if (next_beat(state) <= supervision_now())
    begin_beat(state);
  if (next_end(state) > supervision_now())
    return;
  if (!state->dead) {
    supervision_kill(state, "timeout");
    return;
  }
  give_up_output(state);
}

/* Milliseconds until then, -1 for never. Rounded up: waking early would be a busy loop. */
static int time_left(const struct supervision *state) {
  int64_t deadline = next_deadline(state);
  if (deadline == INT64_MAX)
    return -1;
  int64_t left = deadline - supervision_now();
  if (left <= 0)
    return 0;
  left = (left + 999999) / 1000000;
  return left > INT32_MAX ? INT32_MAX : (int)left;
}

static bool finished(const struct supervision *state) {
  return state->dead && !state->channel_open && state->relays[1].ended && state->relays[2].ended;
}

/* Waits for one thing to happen and deals with it. */
static void wait_once(struct supervision *state) {
  struct pollfd watched[WATCH_MAXIMUM];
  watched[WATCH_CONTROL] = (struct pollfd){.fd = state->control_open ? DESCRIPTOR_CONTROL : -1, .events = POLLIN};
  watched[WATCH_CHANNEL] = (struct pollfd){.fd = state->channel_open ? state->container.channel : -1, .events = POLLIN};
  watched[WATCH_INIT] = (struct pollfd){.fd = state->dead ? -1 : state->container.process, .events = POLLIN};
  watched[WATCH_BEAT] = (struct pollfd){.fd = state->beat, .events = POLLIN};
  for (int index = 0; index < 3; index++)
    watched[WATCH_RELAYS + index] = relay_wait(&state->relays[index]);
  unsigned count = WATCH_CALLERS + callers_wait(&state->callers, watched + WATCH_CALLERS);
  int timeout = time_left(state);
  /* A caller that has gone reads nothing: what it does not take at once is dropped. */
  bool unread = state->dead && !state->control_open && !state->outlives;
  int ready = poll(watched, count, unread ? 0 : timeout);
  if (ready == 0 && unread)
    give_up_output(state);
  /* A descriptor that is always ready must not put it off. */
  if (ready >= 0 && supervision_now() >= next_deadline(state))
    meet_deadline(state);
  if (ready <= 0)
    return;
  if (watched[WATCH_CHANNEL].revents != 0)
    read_channel(state);
  if (watched[WATCH_CONTROL].revents != 0)
    control_read(state);
  if (watched[WATCH_BEAT].revents != 0)
    take_beat_end(state);
  callers_step(&state->callers, watched + WATCH_CALLERS, control_obey, state);
  output_step(state, watched + WATCH_RELAYS);
  /* The caller has said all there is to say to a guest that is only his. */
  if (state->relays[0].ended && !state->outlives && state->callers.input_ends)
    callers_end_input(&state->callers);
  if (watched[WATCH_INIT].revents != 0)
    take_exit(state);
}

/* Until each has read all there is and left: one that writes to a launcher that is gone would lose what it has not
 * read. */
static void let_callers_read(struct supervision *state) {
  struct pollfd watched[CALLERS_MAXIMUM + 2];
  int64_t deadline = supervision_now() + LAST_WORDS_NS;
  while (state->callers.count > 0 && supervision_now() < deadline) {
    unsigned count = callers_wait(&state->callers, watched);
    if (poll(watched, count, 50) > 0)
      callers_step(&state->callers, watched, control_obey, state);
  }
}

static void tell_exit(struct supervision *state) {
  struct event event = {0}, watched = {0};
  const struct ending ending = {state->wait_status, state->reason,
                                state->begin_time == 0 ? 0 : state->exit_time - state->begin_time};
  tree_give_back(&state->returns);
  watch_end(&state->watcher, &watched);
  tell(&watched);
  ending_describe(&ending, &event);
  log_end(&state->log);
  if (state->begin_time != 0)
    ending_write(state->setup, &event);
  callers_close(&state->callers);
  tell(&event);
  callers_tell(&state->callers, &event);
  let_callers_read(state);
  if (state->outlives)
    command_start(&state->setup->end_command, &state->setup->command_environment);
}

static int tell_end(struct supervision *state, const struct plan *plan) {
  if (state->failed.length > 0) {
    tell(&state->failed);
    return 125;
  }
  if (plan->arguments != NULL)
    tell_exit(state);
  else if (state->started && state->wait_status == 0)
    supervision_tell_name("done");
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
                 plan_perform(plan, setup, PHASE_PARENT) < 0 || plan_perform(plan, setup, PHASE_SUPERVISION) < 0 ||
                 plan_check(plan, setup) < 0
             ? -1
             : 0;
}

int supervise_run(void) {
  static struct supervision state;
  static struct setup setup;
  struct plan plan;
  char *bytes;
  size_t length;
  state.setup = &setup;
  state.callers.listener = state.callers.spare = state.callers.input = -1;
  /* A file size limit that the caller happens to have ends no container: what cannot be written is left out. */
  signal(SIGXFSZ, SIG_IGN);
  if (load(&plan, &setup, &bytes, &length) < 0 || (setup.outlives && control_begin_records(&state) < 0) ||
      container_create(&state.container, &plan, &setup, bytes, length) < 0) {
    cgroup_remove(&setup);
    return fail_early();
  }
  signal(SIGPIPE, SIG_IGN);
  close(DESCRIPTOR_PLAN);
  listener_forget(&setup);
  state.master = state.beat = state.watcher.socket = -1;
  state.plan = &plan;
  state.deadline = INT64_MAX;
  state.control_open = state.channel_open = true;
  state.outlives = setup.outlives;
  state.budget = setup.output_limit;
  for (int index = 0; index < 3; index++)
    state.relays[index].buffer = state.relay_buffers[index];
  output_begin(&state);
  while (!finished(&state))
    wait_once(&state);
  return tell_end(&state, &plan);
}
