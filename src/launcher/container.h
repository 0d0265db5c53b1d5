/* The container as its parent holds it: descriptors, and processes by pidfd. */
#ifndef WOLFFIA_CONTAINER_H
#define WOLFFIA_CONTAINER_H

#include "plan.h"

#include <stdbool.h>
#include <sys/types.h>

struct setup;

struct container {
  pid_t pid;
  int process;         /* pidfd of init */
  int channel;         /* to the child, then to the guest-to-be */
  int status;          /* the guest's wait status comes here */
  int stdio[3];        /* the launcher's ends of the guest's pipes; -1 with a terminal or without a program */
  int mount_namespace; /* held so that taking the mounts down does not delay the answer; -1 without one */
  int guest;           /* pidfd of the guest, once it is known */
  bool joins;          /* it is one more process of a container that others hold */
};

/* Makes everything up to the child's first operation. The bytes are the plan's. -1 with the failure set and nothing
 * left. */
int container_create(struct container *container, const struct plan *plan, struct setup *setup, const char *bytes,
                     size_t length);

/* Kills all of it. */
void container_kill(const struct container *container);

/* Stops everybody in it, and lets them go on. */
void container_pause(const struct container *container);
void container_resume(const struct container *container);

/* Waits for init, which is the last to go. The wait status of the guest, or of init when it was killed itself. */
int container_reap(const struct container *container);

#endif
