/* Names inside the new root: found without leaving it, made where they are missing. */
#ifndef WOLFFIA_MAKE_H
#define WOLFFIA_MAKE_H

#include <stdbool.h>
#include <stddef.h>

struct setup;

int make_directory(struct setup *setup, char **fields);
int make_file(struct setup *setup, char **fields);
int make_symlink(struct setup *setup, char **fields);
int make_exercise(struct setup *setup, char **fields);

/* Writes all of it. 0, or -1 with errno. */
int make_write_all(int descriptor, const char *bytes, size_t length);

/* How links in a container path are taken: inside the root only, or not at all. Magic links never. */
enum links { LINKS_INSIDE, LINKS_NONE };

/* O_PATH descriptor of a container path, or -1 with errno. */
int make_open(const struct setup *setup, const char *path, enum links links);

/* O_PATH descriptor of a directory, made with what is missing above it (0755); links inside the root are followed. -1
 * with errno. */
int make_folder(const struct setup *setup, const char *path);

/* The same as make_open, made when missing: a directory, or an empty file. The failure is set. */
int make_target(const struct setup *setup, char *path, enum links links, bool directory);

#endif
