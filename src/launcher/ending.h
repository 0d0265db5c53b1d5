/* How a container ended, told to whoever wants to know. */
#ifndef WOLFFIA_ENDING_H
#define WOLFFIA_ENDING_H

#include "event.h"
#include "setup.h"

/* What is told. */
struct ending {
  int wait_status;
  const char *reason; /* why the parent killed it, or NULL */
  int64_t duration_ns;
};

/* `end-record FILE`: the event, in a file that is there whole or not at all. */
int ending_set_record(struct setup *setup, char **fields);

/* `journal FILE WORD`: the event behind WORD and a space, as one more line of a file that others write to too. */
int ending_set_journal(struct setup *setup, char **fields);

/* Takes away the record of an earlier run. -1 with the failure set. */
int ending_begin(const struct setup *setup);

/* The `exited` event. */
void ending_describe(const struct ending *ending, struct event *event);

/* Writes it down where the plan says so. */
void ending_write(const struct setup *setup, const struct event *event);

#endif
