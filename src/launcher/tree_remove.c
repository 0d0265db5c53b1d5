/* Removes a tree without leaving its file system. A guest may have nested directories deeper than any number of
 * descriptors or any path reaches: below a certain depth they are moved up to near the tree's root instead of followed.
 * What somebody else has removed meanwhile is gone too. */
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
  int attic; /* a directory of our own in the root, where what lies too deep is moved; -1 while there is none */
  char attic_name[48];
  unsigned long moved, attics;
  const char *path;
};

static int empty_directory(struct remover *remover, int directory, unsigned depth);

/* Made by us, so that whatever names the tree holds, none is taken in it. */
static int open_attic(struct remover *remover) {
  if (remover->attic >= 0)
    return remover->attic;
  int made;
  do {
    snprintf(remover->attic_name, sizeof remover->attic_name, ".wolffia-removing-%lu", remover->attics++);
    made = mkdirat(remover->root, remover->attic_name, 0700);
  } while (made < 0 && errno == EEXIST);
  if (made < 0)
    return failure_set("mkdirat", remover->path);
  remover->attic = openat(remover->root, remover->attic_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return remover->attic < 0 ? failure_set("openat", remover->path) : remover->attic;
}

static int remove_directory(struct remover *remover, int parent, const char *name, unsigned depth) {
  struct stat status;
  if (depth == DEPTH_MAXIMUM) {
    char moved[48];
    snprintf(moved, sizeof moved, "%lu", remover->moved++);
    if (open_attic(remover) < 0)
      return -1;
    return renameat(parent, name, remover->attic, moved) < 0 ? failure_set("renameat", remover->path) : 0;
  }
  int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0 && errno == ENOENT)
    return 0;
  if (directory < 0 || fstat(directory, &status) < 0)
    return failure_set("openat", remover->path);
  if (status.st_dev != remover->device) {
    errno = EXDEV;
    return failure_set("openat", remover->path);
  }
  if (empty_directory(remover, directory, depth + 1) < 0)
    return -1;
  return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? failure_set("unlinkat", remover->path) : 0;
}

/* Takes the descriptor over. */
static int empty_directory(struct remover *remover, int directory, unsigned depth) {
  DIR *folder = fdopendir(directory);
  if (folder == NULL)
    return failure_set("fdopendir", remover->path);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    const char *name = entry->d_name;
    bool is_attic = depth == 0 && remover->attic >= 0 && strcmp(name, remover->attic_name) == 0;
    if (is_attic || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
      continue;
    if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
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
    /* What was moved up meanwhile may have been listed or not; the next round needs an attic that it does not empty. */
    if (moved == remover->moved)
      return 0;
    close(remover->attic);
    remover->attic = -1;
  }
}

int tree_clear(int parent, const char *name, const char *path) {
  struct remover remover = {.path = path, .attic = -1};
  struct stat status;
  remover.root = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (remover.root < 0 || fstat(remover.root, &status) < 0)
    return failure_set("openat", path);
  remover.device = status.st_dev;
  if (remove_below(&remover) < 0)
    return -1;
  close(remover.root);
  return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? failure_set("unlinkat", path) : 0;
}

int tree_remove(struct setup *setup, char **fields) {
  struct stat status;
  (void)setup;
  if (fstatat(AT_FDCWD, fields[0], &status, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
    return 0;
  return tree_clear(AT_FDCWD, fields[0], fields[0]);
}
