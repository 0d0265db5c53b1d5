#include "output.h"

#include "kernel.h"
#include "supervision.h"

#include <termios.h>

static void see_output(void *context, int stream, const char *bytes, size_t count) {
  struct supervision *state = context;
  log_take(&state->log, stream, bytes, count);
  callers_output(&state->callers, stream, bytes, count);
}

static bool output_must_wait(void *context) {
  const struct supervision *state = context;
  return callers_are_behind(&state->callers);
}

void output_tap(struct supervision *state) {
  state->tap = (struct tap){see_output, output_must_wait, state};
  relay_tap(&state->relays[1], &state->tap, 1);
  relay_tap(&state->relays[2], &state->tap, 2);
}

void output_leave(struct supervision *state) {
  relay_end(&state->relays[0]);
  relay_abandon(&state->relays[1]);
  relay_abandon(&state->relays[2]);
}

static void settle_output(struct supervision *state) {
  if (state->setup->log_path != NULL)
    output_tap(state);
  if (state->outlives)
    output_leave(state);
}

/* A way of its own to the guest's stdin, for callers that are still to come. */
static void share_input(struct supervision *state, int stdin_end) {
  bool may_come = state->setup->listen_folder != NULL || state->setup->later >= 0;
  if (!may_come || !state->setup->stdin_open)
    return;
  state->callers.input = fcntl(stdin_end, F_DUPFD_CLOEXEC, 3);
  state->callers.input_ends = !state->setup->stdin_kept && state->setup->stdio == STDIO_PIPES;
}

void output_begin(struct supervision *state) {
  uint64_t *budget = state->setup->output_limit == SETUP_NO_LIMIT ? NULL : &state->budget;
  const int *ours = state->container.stdio;
  for (int index = 0; index < 3; index++)
    state->relays[index].ended = true;
  if (state->setup->stdio == STDIO_PIPES) {
    for (int index = 0; index < 3; index++)
      state->relays[index].ended = ours[index] < 0;
    if (ours[0] >= 0) {
      share_input(state, ours[0]);
      relay_begin(&state->relays[0], 0, ours[0], NULL);
    }
    relay_begin(&state->relays[1], ours[1], 1, budget);
    relay_begin(&state->relays[2], ours[2], 2, budget);
    settle_output(state);
  }
}

void output_begin_terminal(struct supervision *state, int master) {
  struct termios settings;
  uint64_t *budget = state->setup->output_limit == SETUP_NO_LIMIT ? NULL : &state->budget;
  state->master = master;
  state->relays[1].ended = false;
  relay_begin(&state->relays[1], fcntl(master, F_DUPFD_CLOEXEC, 3), 1, budget);
  settle_output(state);
  if (!state->setup->stdin_open)
    return;
  share_input(state, master);
  state->relays[0].ended = false;
  relay_begin(&state->relays[0], 0, fcntl(master, F_DUPFD_CLOEXEC, 3), NULL);
  state->relays[0].farewell = tcgetattr(master, &settings) == 0 ? (char)settings.c_cc[VEOF] : 4;
  if (state->outlives)
    relay_end(&state->relays[0]);
}

void output_step(struct supervision *state, const struct pollfd *watched) {
  for (int index = 0; index < 3; index++) {
    struct relay *relay = &state->relays[index];
    if (relay->ended || watched[index].revents == 0)
      continue;
    relay_step(relay);
    state->moved_time = supervision_now();
    if (relay->over_budget) {
      state->reason = "limit";
      if (!state->dead)
        container_kill(&state->container);
    }
  }
}
