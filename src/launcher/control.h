/* What the caller, and further ones, ask of the parent: commands of a line each, read from control or from a caller. */
#ifndef WOLFFIA_CONTROL_H
#define WOLFFIA_CONTROL_H

struct supervision;

/* Opens what is kept on the host's disk, in folders that the caller has made by then. -1 with the failure set. */
int control_begin_records(struct supervision *state);

/* Reads what has come on control; its end is the caller's. */
void control_read(struct supervision *state);

/* Carries a command out. `context` is the supervision. */
void control_obey(void *context, char *line);

#endif
