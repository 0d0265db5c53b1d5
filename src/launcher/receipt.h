/* The receipt: what the guest-to-be is, as the kernel tells it, with every privilege gone. */
#ifndef WOLFFIA_RECEIPT_H
#define WOLFFIA_RECEIPT_H

#include "event.h"

struct setup;

/* Appends the `receipt` event without its closing brace: the parent adds the limits that are its own. */
int receipt_collect(const struct setup *setup, struct event *event);

#endif
