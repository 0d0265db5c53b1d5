/* Control groups of a container: made and joined from outside, gone with it. */
#ifndef WOLFFIA_CGROUP_H
#define WOLFFIA_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

struct setup;

/* `cgroup FOLDER`: makes the group, into which the child is moved before its first operation. */
int cgroup_make(struct setup *setup, char **fields);

/* `cgroup-join FOLDER`: the child is moved into a group that is there, which stays. */
int cgroup_join(struct setup *setup, char **fields);

/* `cgroup-value FILE VALUE`: writes a value into a group's file. */
int cgroup_set(struct setup *setup, char **fields);

/* `cgroup-kills FILE`: counts those whom the kernel killed for memory, in a line `oom_kill N`. */
int cgroup_set_kills(struct setup *setup, char **fields);

/* `cgroup-freezer FILE FROZEN THAWED`: the file by which the group is paused. */
int cgroup_set_freezer(struct setup *setup, char **fields);

/* Stops everybody in it where they are, and waits a moment for that. False where nothing freezes it. */
bool cgroup_freeze(const struct setup *setup);

/* Lets them go on; who is killed while frozen dies only then (version 1). */
void cgroup_thaw(const struct setup *setup);

/* Moves the child into its groups. -1 with the failure set. */
int cgroup_enter(const struct setup *setup, pid_t child);

/* Makes where the child is now the root of its namespace, where the plan asks for one. -1 with the failure set. */
int cgroup_isolate(const struct setup *setup);

/* Whether the kernel has killed somebody in it for memory. */
bool cgroup_has_killed(const struct setup *setup);

/* Removes what `cgroup` has made. One that is still in use stays, for whoever looks next. */
void cgroup_remove(const struct setup *setup);

#endif
