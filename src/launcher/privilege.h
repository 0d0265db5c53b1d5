/* Privileges, as they are dropped: directory, ids, capabilities, no_new_privs, Landlock, seccomp. */
#ifndef WOLFFIA_PRIVILEGE_H
#define WOLFFIA_PRIVILEGE_H

struct plan;
struct setup;

int privilege_enter_directory(struct setup *setup, char **fields);
int privilege_add_group(struct setup *setup, char **fields);
int privilege_become_user(struct setup *setup, char **fields);
int privilege_limit_capabilities(struct setup *setup, char **fields);
int privilege_forbid_gain(struct setup *setup, char **fields);
int privilege_scope(struct setup *setup, char **fields);
int privilege_filter(struct setup *setup, char **fields);

/* Whoever is not root in the user namespace keeps what he may there through an execve, until `capabilities`. */
int privilege_keep(void);

/* Root of the user namespace, where it has one: what is made from here on is root's. */
int privilege_become_root(void);

/* Reads the seccomp program while its descriptor still has the caller's number; nothing when the plan doesn't say
 * `seccomp`. */
int privilege_read_filter(const struct plan *plan, struct setup *setup);

/* Leaves init what it needs to wait for a guest and to forward signals to one of another user, and no other call. */
int privilege_reduce_init(void);

#endif
