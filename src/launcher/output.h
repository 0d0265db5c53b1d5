/* The guest's stdio as the parent passes it on: to and from its caller, into the log, to further callers. */
#ifndef WOLFFIA_OUTPUT_H
#define WOLFFIA_OUTPUT_H

#include <poll.h>

struct supervision;

/* With pipes: from the beginning. With a terminal nothing passes before output_begin_terminal. */
void output_begin(struct supervision *state);

/* The master serves both directions; each relay owns a descriptor of it. */
void output_begin_terminal(struct supervision *state, int master);

/* From when on somebody wants to see it: until then pages of pipes change hands unread. */
void output_tap(struct supervision *state);

/* The caller takes and gives nothing any more. */
void output_leave(struct supervision *state);

/* Passes on what can be; `watched` are the three relays' entries. */
void output_step(struct supervision *state, const struct pollfd *watched);

#endif
