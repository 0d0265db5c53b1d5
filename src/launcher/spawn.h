/* The spawner: starts launchers for a process that is too large to be copied for each. README.md, "The spawner". */
#ifndef WOLFFIA_SPAWN_H
#define WOLFFIA_SPAWN_H

/* Serves the channel on descriptor 3 until its other end is gone, or has said that there is no more. Does not return.
 */
_Noreturn void spawn_run(void);

#endif
