/* Removes a tree without leaving its file system. A guest may have nested directories deeper than any number of
 * descriptors or any path reaches: below a certain depth they are moved up to the tree's root instead of followed. */
#include "failure.h"
#include "kernel.h"
#include "setup.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAXIMUM 64

struct remover {
  int root;
  dev_t device;
  unsigned long moved;
  const char *path;
};

static int empty_directory(struct remover *remover, int directory, unsigned depth);

static int remove_directory(struct remover *remover, int parent, const char *name, unsigned depth) {
  struct stat status;
  if (depth == DEPTH_MAXIMUM) {
    char moved[48];
    snprintf(moved, sizeof moved, ".wolffia-removing-%lu", remover->moved++);
    if (renameat(parent, name, remover->root, moved) == 0)
      return 0;
    return failure_set("renameat", remover->path);
  }
  int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0 || fstat(directory, &status) < 0)
    return failure_set("openat", remover->path);
  if (status.st_dev != remover->device) {
    errno = EXDEV;
    return failure_set("openat", remover->path);
  }
  if (empty_directory(remover, directory, depth + 1) < 0)
    return -1;
  return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? failure_set("unlinkat", remover->path) : 0;
}

/* Takes the descriptor over. */
static int empty_directory(struct remover *remover, int directory, unsigned depth) {
  DIR *folder = fdopendir(directory);
  if (folder == NULL)
    return failure_set("fdopendir", remover->path);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
      continue;
    if (unlinkat(directory, name, 0) == 0)
      continue;
    if (errno != EISDIR)
      return failure_set("unlinkat", remover->path);
    if (remove_directory(remover, directory, name, depth) < 0)
      return -1;
  }
  closedir(folder);
  return 0;
}

static int remove_below(struct remover *remover) {
  for (;;) {
    unsigned long moved = remover->moved;
    int directory = openat(remover->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
      return failure_set("openat", remover->path);
    if (empty_directory(remover, directory, 0) < 0)
      return -1;
    /* What was moved up meanwhile may have been listed or not. */
    if (moved == remover->moved)
      return 0;
  }
}

int tree_remove(struct setup *setup, char **fields) {
  struct remover remover = {.path = fields[0]};
  struct stat status;
  (void)setup;
  remover.root = open(fields[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (remover.root < 0 && errno == ENOENT)
    return 0;
  if (remover.root < 0 || fstat(remover.root, &status) < 0)
    return failure_set("open", fields[0]);
  remover.device = status.st_dev;
  if (remove_below(&remover) < 0)
    return -1;
  close(remover.root);
  return rmdir(fields[0]) < 0 ? failure_set("rmdir", fields[0]) : 0;
}
