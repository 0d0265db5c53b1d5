/* The launcher's parent: makes the container, relays, holds its own limits, and tells how it ended. */
#ifndef WOLFFIA_SUPERVISE_H
#define WOLFFIA_SUPERVISE_H

/* The whole life of one plan; the launcher's exit status. */
int supervise_run(void);

struct setup;

/* `outlive`: the container is nobody's from its start on; its caller, once it has said `go`, may leave. */
int supervise_set_outliving(struct setup *setup, char **fields);

#endif
