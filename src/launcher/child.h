/* The launcher's child: first process in the namespaces, later the container's init. */
#ifndef WOLFFIA_CHILD_H
#define WOLFFIA_CHILD_H

#include "plan.h"

#include <stddef.h>

/* What the child has from the parent, across its own execve. */
struct handover {
  int plan;     /* a memfd with the plan's bytes */
  int channel;  /* to the parent */
  int status;   /* a pipe for the guest's wait status */
  int network;  /* where the network namespace comes from, 0 for none; made by the child itself */
  int joined;   /* a pidfd of the process whose namespaces are joined, 0 for none */
  int memory;   /* a mount of the holder's memory, 0 for none; comes with the word that the ids are mapped */
  int stdio[3]; /* the guest's ends; unused with a terminal */
};

/* argv[0] of the copy that resumes. */
#define CHILD_NAME "wolffia-init"

/* Right after clone3. `parents_channel` is the other end of the channel, which the child has by inheritance. Waits for
 * the id maps, then performs a plan without a program, or executes itself again for one with. */
_Noreturn void child_begin(struct handover *handover, int parents_channel, const struct plan *plan,
                           struct setup *setup);

/* main() of the program executed again. */
_Noreturn void child_resume(int argc, char **argv);

#endif
