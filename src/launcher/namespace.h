/* Namespaces: which, their id maps, and what is set up inside them right after they are made. */
#ifndef WOLFFIA_NAMESPACE_H
#define WOLFFIA_NAMESPACE_H

#include <stdint.h>
#include <sys/types.h>

struct setup;

int namespace_add(struct setup *setup, char **fields);
int namespace_map_uid(struct setup *setup, char **fields);
int namespace_map_gid(struct setup *setup, char **fields);
int namespace_set_helper(struct setup *setup, char **fields);

/* `join PID START`: the namespaces that the plan names are those of a running process, and not made. START is when it
 * began, as /proc/PID/stat has it, so that no other with its number is taken for it. */
int namespace_set_joined(struct setup *setup, char **fields);

/* A pidfd of the process PID, its number in `pid`. -1 with the failure set, errno ESRCH when there is none that began
 * at START. */
int namespace_open_process(char *pid_text, char *start_text, pid_t *pid);
int namespace_set_hostname(struct setup *setup, char **fields);

/* A child in all the namespaces at once, but for the network, which it makes itself: 0 in the child, its pid in the
 * parent with a pidfd in `process`, or -1. */
pid_t namespace_clone(struct setup *setup, int *process);

/* Enters some of the namespaces of the plan's `join`, from the process whose children are to be in them. */
int namespace_join(const struct setup *setup, uint64_t namespaces);

/* Writes the id maps of `child`, by the helpers when the plan names them; below a holder they have been written. */
int namespace_write_maps(const struct setup *setup, pid_t child);

/* The same from within the holder's user namespace, which has every id inside as the plan wants it. */
int namespace_write_maps_below(const struct setup *setup, pid_t child);

#endif
