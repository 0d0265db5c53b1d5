/* The holder: one process that keeps a user namespace with a range of ids, and memory for the layers of images, for all
 * containers that are started while it lives. It ends some time after the last of them. */
#ifndef WOLFFIA_HOLD_H
#define WOLFFIA_HOLD_H

struct setup;

/* `hold LISTENER SECONDS DESCRIPTOR`: a process that stays behind when the plan is done, in its namespaces and with its
 * root, which is its memory. It ends when nobody has been connected to the socket LISTENER (of
 * `listening-socket`) for so long. Its pid is written to DESCRIPTOR, in decimal. */
int hold_begin(struct setup *setup, char **fields);

#endif
