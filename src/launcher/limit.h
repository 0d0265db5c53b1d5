/* Limits: those the parent holds, and those the kernel holds for the guest. */
#ifndef WOLFFIA_LIMIT_H
#define WOLFFIA_LIMIT_H

struct plan;
struct setup;

/* `limits-lifted`: what the kernel bounds in a user namespace by the limits of whoever makes it is bounded by the hard
 * ones. */
int limit_lift(struct setup *setup, char **fields);
int limit_output(struct setup *setup, char **fields);
int limit_time(struct setup *setup, char **fields);
int limit_keep_descriptor(struct setup *setup, char **fields);
int limit_resource(struct setup *setup, char **fields);
int limit_umask(struct setup *setup, char **fields);
/* Does nothing where a container is joined: what limit_inherit_oom_score has set is inherited. */
int limit_oom_score(struct setup *setup, char **fields);

/* The same for the process itself and what it forks, while it is still dumpable, which its file in /proc is only then
 * its own for. */
int limit_inherit_oom_score(const struct plan *plan);

/* Puts the descriptors to keep in their places and marks all others but 0, 1, 2 to be closed by execve. `spared` are
 * moved out of the way first and hold their new numbers afterwards. */
int limit_descriptors(struct setup *setup, int *const *spared, unsigned count);

#endif
