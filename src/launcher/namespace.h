/* Namespaces: which, their id maps, and what is set up inside them right after they are made. */
#ifndef WOLFFIA_NAMESPACE_H
#define WOLFFIA_NAMESPACE_H

#include <sys/types.h>

struct setup;

int namespace_add(struct setup *setup, char **fields);
int namespace_map_uid(struct setup *setup, char **fields);
int namespace_map_gid(struct setup *setup, char **fields);
int namespace_set_helper(struct setup *setup, char **fields);
int namespace_set_hostname(struct setup *setup, char **fields);

/* A child in all the namespaces at once, but for the network, which it makes itself: 0 in the child, its pid in the
 * parent with a pidfd in `process`, or -1. */
pid_t namespace_clone(const struct setup *setup, int *process);

/* Writes the id maps of `child`, by the helpers when the plan names them. */
int namespace_write_maps(const struct setup *setup, pid_t child);

#endif
