/* The guest's stdio: of which kind, and its pseudo-terminal. */
#ifndef WOLFFIA_TERMINAL_H
#define WOLFFIA_TERMINAL_H

struct setup;

int terminal_set_stdio(struct setup *setup, char **fields);
int terminal_set_size(struct setup *setup, char **fields);

/* Makes the pseudo-terminal in the devpts mounted as `devpts`; its master goes to the setup. */
int terminal_open(struct setup *setup, int devpts);

/* `open-terminal PATH`: the same in the devpts that a running container has there. */
int terminal_open_found(struct setup *setup, char **fields);

/* The guest's end, reached through the master and not by a name. -1 with the failure set. */
int terminal_open_guest_end(struct setup *setup);

/* Makes the guest's end the controlling terminal of the caller's session; returns it. */
int terminal_control(struct setup *setup);

#endif
