/* File trees over a descriptor; README.md has the stream's layout. */
#ifndef WOLFFIA_TREE_H
#define WOLFFIA_TREE_H

struct setup;

int tree_substitute(struct setup *setup, char **fields);
/* `tree-make PATH`: a directory for a tree to come, which must not be there yet. */
int tree_make(struct setup *setup, char **fields);
int tree_set_source(struct setup *setup, char **fields);
int tree_write(struct setup *setup, char **fields);
int tree_read(struct setup *setup, char **fields);
int tree_list(struct setup *setup, char **fields);
int tree_move(struct setup *setup, char **fields);
int tree_remove(struct setup *setup, char **fields);

/* Removes the directory `name` of `parent` and all below it, which others may write to meanwhile. `path` is for the
 * failure.
 */
int tree_clear(int parent, const char *name, const char *path);

/* `file-read PATH DESCRIPTOR BYTES`: at most so many bytes of a regular file of the root; nothing when there is none.
 */
int tree_read_file(struct setup *setup, char **fields);

/* Makes the stream's entries below the directory `root`; the descriptor, as the plan names it, is closed then. */
int tree_fill(const struct setup *setup, int root, const char *descriptor);

/* Writes the tree below `root` to `output` as whoever owns it, in a process of its own. A failure is a record too. */
void tree_give(int user_namespace, int root, int output);

/* `path-stat PATH DESCRIPTOR`, `path-read PATH DESCRIPTOR`: a stream of what a container path names, alone or with all
 * below it, over mounts too. `path-write PATH DESCRIPTOR` makes a stream's entries below a directory of the container,
 * in place of what bears their names, removes others and changes attributes. */
int tree_stat_path(struct setup *setup, char **fields);
int tree_read_path(struct setup *setup, char **fields);
int tree_write_path(struct setup *setup, char **fields);

/* The descriptor a plan names, 6 or above and open. -1 with the failure set. */
int tree_parse_descriptor(const char *text);

#endif
