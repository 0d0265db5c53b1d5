/* The receipt: what the guest-to-be is, as the kernel tells it, with every privilege gone. */
#ifndef WOLFFIA_RECEIPT_H
#define WOLFFIA_RECEIPT_H

#include "event.h"

struct setup;

/* Begins the `receipt` event with all that no later step changes. Comes before a system call filter, which may forbid
 * what it takes. */
int receipt_collect(struct setup *setup, struct event *event);

/* Adds ids, capabilities, no_new_privs and seccomp as they are then, by no call but read, close and those of malloc.
 * The event has no closing brace yet: the parent adds the limits that are its own. */
int receipt_add_status(struct setup *setup, struct event *event);

#endif
