/* Mounts on the new root: each made detached, then moved onto a target that was found without leaving the root. */
#ifndef WOLFFIA_MOUNT_H
#define WOLFFIA_MOUNT_H

struct plan;
struct setup;

/* Clones the sources of all `bind` operations, before anything else is mounted: the caller's root, for one, must not be
 * seen with what the launcher puts on it. */
int mount_open_sources(const struct plan *plan, struct setup *setup);

int mount_make_private(struct setup *setup, char **fields);

/* In a container that was joined: its mounts as this process alone has them, to be taken off without anybody there
 * seeing it; and its root without any of the mounts on it. */
int mount_copy_all(struct setup *setup, char **fields);
int mount_take_off(struct setup *setup, char **fields);
int mount_keep_root(struct setup *setup, char **fields);

int mount_proc(struct setup *setup, char **fields);
int mount_sysfs(struct setup *setup, char **fields);
int mount_tmpfs(struct setup *setup, char **fields);
int mount_tree(struct setup *setup, char **fields);
int mount_devpts(struct setup *setup, char **fields);
int mount_console(struct setup *setup, char **fields);
int mount_mqueue(struct setup *setup, char **fields);
int mount_cgroup(struct setup *setup, char **fields);
int mount_bind(struct setup *setup, char **fields);
int mount_file(struct setup *setup, char **fields);
int mount_mask(struct setup *setup, char **fields);
int mount_read_only(struct setup *setup, char **fields);

/* One option of a file system; a NULL value is a flag. The list ends with a NULL key. */
struct mount_option {
  const char *key;
  char *value;
};

/* A new, detached mount of a file system. Its descriptor, or -1 with the failure set. */
int mount_detached(const char *type, const struct mount_option *options, unsigned attributes);

#endif
