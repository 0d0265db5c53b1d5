/* A start inside the holder (hold.h): a user namespace below the holder's, whose ids need no helper, and its memory. */
#ifndef WOLFFIA_NEST_H
#define WOLFFIA_NEST_H

#include <stdint.h>
#include <sys/types.h>

struct setup;

/* `holder FOLDER NAME PID START WANTED`: the process that listens at FOLDER/NAME has all the ids of the plan's extents,
 * so the maps are written below its user namespace. When it is gone, the plan goes on as if it had not been named.
 * WANTED is `memory` for a plan with `holder-memory`, else `ids`. */
int nest_set_holder(struct setup *setup, char **fields);

/* `holder-memory PATH`: the holder's memory is mounted on the directory PATH of the caller's. */
int nest_mount_memory(struct setup *setup, char **fields);

/* A child of this process with the namespaces of `flags` below the holder's, its id maps written: 0 in the child, its
 * pid here with a pidfd in `process`, or -1 with the failure set. When the holder is gone, and the plan can do without
 * it, `setup` says so and nothing has been made. */
pid_t nest_clone(struct setup *setup, uint64_t flags, int *process);

#endif
