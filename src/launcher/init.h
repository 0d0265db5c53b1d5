/* The container's init: reaps, forwards signals, ends when the guest does and takes everything with it. */
#ifndef WOLFFIA_INIT_H
#define WOLFFIA_INIT_H

#include <sys/types.h>

/* Sent with SIGTSTP or SIGCONT (sigqueue(3)): stop everybody in the container, let everybody go on. */
#define INIT_EVERYBODY 0x77666661

/* All signals must be blocked. `status` is where the guest's wait status goes. The guest is told at `begun` when init
 * has given up all that it does not need, or that it could not. */
_Noreturn void init_run(pid_t guest, int status, int begun);

/* Of the guest-to-be: waits for that at the other end, and closes it. -1 with the failure set. */
int init_await(int begun);

#endif
