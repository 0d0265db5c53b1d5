/* Sockets that listen in a folder of the host's, for the launcher itself or for its guest. */
#ifndef WOLFFIA_LISTENER_H
#define WOLFFIA_LISTENER_H

struct setup;

/* Listens at FOLDER/NAME, in place of whatever bears the name; only the user himself can come in. -1 with the failure
 * set. */
int listener_open(const char *folder, const char *name, int backlog);

/* `listening-socket FOLDER NAME DESCRIPTOR`: such a socket, for `keep-descriptor` to hand on. */
int listener_give(struct setup *setup, char **fields);

/* `unbound-socket DESCRIPTOR`: one that listens nowhere yet. `bind-socket FOLDER NAME`: from now on it does, as above.
 */
int listener_give_unbound(struct setup *setup, char **fields);
int listener_bind_given(struct setup *setup, char **fields);

/* The launcher does not hold it when its guest does: once the guest is gone, nobody is to wait there for an answer. One
 * that is still to be bound it keeps. */
void listener_forget(struct setup *setup);

#endif
