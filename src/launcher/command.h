/* Commands of the host's that a plan names: what decides about a container while nobody waits for it. */
#ifndef WOLFFIA_COMMAND_H
#define WOLFFIA_COMMAND_H

#include "setup.h"

/* `end-argument WORD`, `beat-argument WORD`: one word more of the command that is run once the container has ended, or
 * again and again while it runs. */
int command_add_end(struct setup *setup, char **fields);
int command_add_beat(struct setup *setup, char **fields);

/* `beat-interval MILLISECONDS`: from the start, and from the end of one such command to the next. */
int command_set_interval(struct setup *setup, char **fields);

/* `command-variable NAME=VALUE`: the environment of both holds these and no others. */
int command_add_variable(struct setup *setup, char **fields);

/* Starts it in a session of its own, with nothing of ours open. Its pid, or -1; a command without words is not started.
 */
pid_t command_start(const struct words *command, const struct words *environment);

#endif
