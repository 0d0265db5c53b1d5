/* The new root: an overlay or a tmpfs, and the switch to it. */
#ifndef WOLFFIA_ROOT_H
#define WOLFFIA_ROOT_H

struct setup;

int root_add_lower(struct setup *setup, char **fields);
int root_set_upper(struct setup *setup, char **fields);
int root_set_upper_in_memory(struct setup *setup, char **fields);
int root_mount_overlay(struct setup *setup, char **fields);
int root_mount_tmpfs(struct setup *setup, char **fields);
int root_make_read_only(struct setup *setup, char **fields);
int root_switch(struct setup *setup, char **fields);

#endif
