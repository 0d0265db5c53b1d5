#include "control.h"

#include "begin.h"
#include "cgroup.h"
#include "channel.h"
#include "ending.h"
#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "output.h"
#include "supervision.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int control_begin_records(struct supervision *state) {
  return log_open(&state->log, state->setup) < 0 || ending_begin(state->setup) < 0 ||
                 callers_begin(&state->callers, state->setup) < 0
             ? -1
             : 0;
}

static void give_up(struct supervision *state) {
  event_failed(&state->failed);
  supervision_kill(state, NULL);
}

/* From here on it is somebody's, and its time counts. */
static void set_out(struct supervision *state) {
  state->begin_time = supervision_now();
  state->beat_time = state->begin_time + (int64_t)state->setup->beat_interval * 1000000;
  if (state->setup->time_limit != SETUP_NO_LIMIT)
    state->deadline = state->begin_time + (int64_t)state->setup->time_limit * 1000000;
}

static void obey_go(struct supervision *state) {
  if (state->container.guest < 0 || state->go_time != 0)
    return;
  bool later = state->setup->later >= 0;
  if (!later && !state->outlives && control_begin_records(state) < 0) {
    give_up(state);
    return;
  }
  failure_begin("launch");
  if (channel_release(state->container.channel, MESSAGE_GO, -1) < 0) {
    give_up(state);
    return;
  }
  state->go_time = supervision_now();
  if (!later)
    set_out(state);
}

static void obey_begin(struct supervision *state) {
  if (state->go_time == 0 || state->begin_time != 0 || state->setup->later < 0)
    return;
  if (begin_container(state) < 0) {
    give_up(state);
    return;
  }
  set_out(state);
  supervision_tell_name("begun");
}

/* From here on the container is nobody's: what the caller said or read goes on without him. */
static void obey_outlive(struct supervision *state) {
  state->outlives = true;
  output_leave(state);
}

static void obey_signal(const struct supervision *state, int number) {
  if (state->container.guest >= 0)
    kernel_pidfd_send_signal(state->container.guest, number);
  if (number == SIGKILL)
    cgroup_thaw(state->setup);
}

static void obey_resize(const struct supervision *state, const char *numbers) {
  struct winsize size = {.ws_row = (unsigned short)number_take(&numbers)};
  numbers += *numbers == ' ';
  size.ws_col = (unsigned short)number_take(&numbers);
  if (state->master >= 0)
    ioctl(state->master, TIOCSWINSZ, &size);
}

/* Two numbers at most follow a command; an unknown one is not ours to answer. */
void control_obey(void *context, char *line) {
  struct supervision *state = context;
  const char *rest = line + strcspn(line, " ");
  rest += *rest == ' ';
  if (strcmp(line, "go") == 0) {
    obey_go(state);
  } else if (strcmp(line, "begin") == 0) {
    obey_begin(state);
  } else if (strcmp(line, "outlive") == 0) {
    obey_outlive(state);
  } else if (strcmp(line, "attach") == 0) {
    output_tap(state);
  } else if (strcmp(line, "pause") == 0) {
    if (!cgroup_freeze(state->setup)) {
      container_pause(&state->container);
      state->stopped = true;
    }
  } else if (strcmp(line, "resume") == 0) {
    cgroup_thaw(state->setup);
    if (state->stopped)
      container_resume(&state->container);
    state->stopped = false;
  } else if (strncmp(line, "signal ", 7) == 0) {
    obey_signal(state, (int)number_take(&rest));
  } else if (strncmp(line, "resize ", 7) == 0) {
    obey_resize(state, rest);
  } else if (strncmp(line, "deadline ", 9) == 0) {
    uint64_t left = number_take(&rest);
    state->deadline = left > INT32_MAX ? INT64_MAX : supervision_now() + (int64_t)left * 1000000;
  }
}

void control_read(struct supervision *state) {
  size_t room = sizeof state->command - 1 - state->command_length;
  ssize_t count = recv(DESCRIPTOR_CONTROL, state->command + state->command_length, room, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  /* The caller is gone, or speaks no language of ours. */
  if (count <= 0) {
    state->control_open = false;
    if (!state->outlives || state->begin_time == 0)
      supervision_kill(state, NULL);
    return;
  }
  state->command_length += (size_t)count;
  state->command[state->command_length] = '\0';
  char *line = state->command, *end;
  for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
    *end = '\0';
    control_obey(state, line);
  }
  state->command_length = strlen(line);
  memmove(state->command, line, state->command_length + 1);
}
