/* The network namespace. It takes the kernel as long to make as all the others and most of the mounts together, so a
 * process of its own makes it, while the child goes on with what needs no network. */
#ifndef WOLFFIA_NETWORK_H
#define WOLFFIA_NETWORK_H

#include "plan.h"

#include <stdbool.h>

struct setup;

/* Starts that process, when the plan wants a network namespace: told to go on, it makes one, performs the plan's
 * operations in it and sends it to the descriptor that is returned, which survives execve. 0 without a network
 * namespace, -1 with the failure set. `executes`: once it has been told to go on, the caller does nothing but execute
 * itself again. */
int network_begin(const struct plan *plan, struct setup *setup, bool executes);

/* The id maps are written: the namespace can be made, whose files in /proc and /sys belong to who is root at that
 * moment. 0, or -1 with the failure set. */
int network_go_on(const struct setup *setup);

/* Enters the namespace that comes from setup->network, once. What failed in making it is told to the launcher's parent,
 * and this process ends. 0, or -1 with the failure set. */
int network_join(struct setup *setup);

int network_raise_loopback(struct setup *setup, char **fields);

int network_exercise_tap(struct setup *setup, char **fields);

#endif
