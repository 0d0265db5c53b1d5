/* Moves what is in a directory into another of the same file system, which then has the first one's owner and mode.
 * What the other has already stays as it is: begun again after a kill, it goes on where it was, and takes nothing from
 * who writes there meanwhile. */
#include "failure.h"
#include "kernel.h"
#include "setup.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* 1 when it was moved, 0 when the name is taken. */
static int move_entry(int from, int to, const char *name) {
  struct stat status;
  if (syscall(SYS_renameat2, from, name, to, name, RENAME_NOREPLACE) == 0)
    return 1;
  if (errno == EEXIST)
    return 0;
  /* A file system that cannot be asked not to replace. */
  if (errno != EINVAL)
    return -1;
  if (fstatat(to, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
    return 0;
  return errno == ENOENT && renameat(from, name, to, name) == 0 ? 1 : -1;
}

/* One look at all that is left. The number of entries moved, or -1 with the failure set. */
static int move_entries(int from, int to, const char *path) {
  int moved = 0, listed = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = listed < 0 ? NULL : fdopendir(listed);
  if (folder == NULL)
    return failure_set("openat", path);
  for (struct dirent *entry; errno = 0, (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    int result = move_entry(from, to, entry->d_name);
    if (result < 0)
      return failure_set("renameat2", path);
    moved += result;
  }
  if (errno != 0)
    return failure_set("getdents64", path);
  closedir(folder);
  return moved;
}

int tree_move(struct setup *setup, char **fields) {
  const uint64_t flags = O_RDONLY | O_DIRECTORY;
  struct stat status;
  int moved;
  (void)setup;
  int from = kernel_openat2(AT_FDCWD, fields[0], flags, 0, RESOLVE_NO_SYMLINKS);
  if (from < 0 || fstat(from, &status) < 0)
    return failure_set("openat2", fields[0]);
  int to = kernel_openat2(AT_FDCWD, fields[1], flags, 0, RESOLVE_NO_SYMLINKS);
  if (to < 0)
    return failure_set("openat2", fields[1]);
  /* A directory that shrinks while it is listed may hide an entry from that listing. */
  while ((moved = move_entries(from, to, fields[1])) > 0)
    ;
  if (moved < 0)
    return -1;
  if (fchown(to, status.st_uid, status.st_gid) < 0)
    return failure_set("fchown", fields[1]);
  if (fchmod(to, status.st_mode & 07777) < 0)
    return failure_set("fchmod", fields[1]);
  close(from);
  close(to);
  return 0;
}
