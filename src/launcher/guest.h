/* The guest-to-be: from fork to execve. */
#ifndef WOLFFIA_GUEST_H
#define WOLFFIA_GUEST_H

#include "child.h"

_Noreturn void guest_run(const struct handover *handover, const struct plan *plan, struct setup *setup);

#endif
