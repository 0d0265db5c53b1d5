/* What the launcher's parent knows while it waits, shared by the files that do its work. */
#ifndef WOLFFIA_SUPERVISION_H
#define WOLFFIA_SUPERVISION_H

#include "callers.h"
#include "container.h"
#include "event.h"
#include "log.h"
#include "relay.h"
#include "setup.h"
#include "tree_return.h"
#include "watch.h"

#include <stdint.h>

struct supervision {
  struct setup *setup;
  const struct plan *plan;
  struct container container;
  struct relay relays[3]; /* stdin, stdout, stderr */
  struct log log;
  struct tap tap;
  struct returns returns;
  struct watcher watcher;
  bool outlives; /* the caller may go, the container stays */
  int beat;      /* pidfd of the command that is run again and again, -1 while none runs */
  int64_t beat_time;
  pid_t beat_pid;
  int64_t deadline; /* of the guest, INT64_MAX for none */
  bool control_open, channel_open, dead, gone, started;
  bool stopped; /* paused by signals */
  int master;
  char command[256];
  size_t command_length;
  struct event failed; /* told once everything is gone */
  int wait_status;
  const char *reason; /* why the parent killed it, or NULL */
  int64_t go_time, exit_time;
  int64_t begin_time; /* from when on it is somebody's: with go, but where that is left for later */
  int64_t moved_time; /* when a byte of output was last passed on */
  uint64_t budget;
  /* What is large comes last: of a container that is short-lived no page of it is touched. */
  struct callers callers;
  char relay_buffers[3][RELAY_BYTES];
};

/* Nanoseconds of a clock that only goes on. */
int64_t supervision_now(void);

/* An event that is nothing but its name. */
void supervision_tell_name(const char *name);

/* Kills the container, for `reason` or none of ours. */
void supervision_kill(struct supervision *state, const char *reason);

#endif
