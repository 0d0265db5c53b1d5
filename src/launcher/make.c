#include "make.h"

#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t resolution(enum links links) {
  return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (links == LINKS_NONE ? RESOLVE_NO_SYMLINKS : 0);
}

int make_open(const struct setup *setup, const char *path, enum links links) {
  return kernel_openat2(setup->root, path, O_PATH, 0, resolution(links));
}

/* A path cut into its parent and its last name, both in `buffer`. The root has the name "". */
struct cut {
  char buffer[PATH_MAX];
  const char *parent, *name;
};

static int cut_path(struct cut *cut, const char *path) {
  size_t length = strlen(path);
  if (path[0] != '/' || length >= sizeof cut->buffer) {
    errno = path[0] == '/' ? ENAMETOOLONG : EINVAL;
    return -1;
  }
  while (length > 1 && path[length - 1] == '/')
    length--;
  memcpy(cut->buffer, path, length);
  cut->buffer[length] = '\0';
  char *slash = strrchr(cut->buffer, '/');
  *slash = '\0';
  cut->parent = cut->buffer[0] == '\0' ? "/" : cut->buffer;
  cut->name = slash + 1;
  /* Neither can be made, so what is missing above them is an error like any other. */
  if (strcmp(cut->name, ".") == 0 || strcmp(cut->name, "..") == 0) {
    errno = EINVAL;
    return -1;
  }
  return 0;
}

/* Opens a directory, making what is missing of it. -1 with errno. */
static int open_directory(const struct setup *setup, const char *path, enum links links, mode_t mode) {
  const uint64_t flags = O_PATH | O_DIRECTORY;
  int descriptor = kernel_openat2(setup->root, path, flags, 0, resolution(links));
  if (descriptor >= 0 || errno != ENOENT)
    return descriptor;
  struct cut cut;
  if (cut_path(&cut, path) < 0)
    return -1;
  int parent = open_directory(setup, cut.parent, links, 0755);
  if (parent < 0)
    return -1;
  int result = mkdirat(parent, cut.name, mode);
  int error = errno;
  close(parent);
  if (result < 0 && error != EEXIST) {
    errno = error;
    return -1;
  }
  return kernel_openat2(setup->root, path, flags, 0, resolution(links));
}

int make_folder(const struct setup *setup, const char *path) {
  return open_directory(setup, path, LINKS_INSIDE, 0755);
}

/* The directory that holds the path's last name, made when missing. -1 with the failure set. */
static int open_parent(const struct setup *setup, char *path, struct cut *cut) {
  if (cut_path(cut, path) < 0)
    return failure_set("openat2", path);
  int parent = open_directory(setup, cut->parent, LINKS_INSIDE, 0755);
  return parent < 0 ? failure_set("openat2", path) : parent;
}

/* A descriptor of the new file, or -1 with the failure set. */
static int make_empty_file(const struct setup *setup, char *path, enum links links) {
  const uint64_t flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW;
  struct cut cut;
  /* Mostly only the file itself is missing. */
  int descriptor = kernel_openat2(setup->root, path, flags, 0644, resolution(links));
  if (descriptor >= 0)
    return descriptor;
  if (cut_path(&cut, path) < 0)
    return failure_set("openat2", path);
  int parent = open_directory(setup, cut.parent, links, 0755);
  if (parent < 0)
    return failure_set("openat2", path);
  descriptor = openat(parent, cut.name, (int)flags | O_CLOEXEC, 0644);
  /* The path led nowhere and still the name is taken: a dangling symlink. A file of its own takes its place. */
  if (descriptor < 0 && errno == EEXIST && links == LINKS_INSIDE && unlinkat(parent, cut.name, 0) == 0)
    descriptor = openat(parent, cut.name, (int)flags | O_CLOEXEC, 0644);
  close(parent);
  return descriptor < 0 ? failure_set("openat", path) : descriptor;
}

int make_target(const struct setup *setup, char *path, enum links links, bool directory) {
  if (directory) {
    int descriptor = open_directory(setup, path, links, 0755);
    return descriptor < 0 ? failure_set("openat2", path) : descriptor;
  }
  int descriptor = make_open(setup, path, links);
  if (descriptor < 0 && errno == ENOENT)
    return make_empty_file(setup, path, links);
  return descriptor < 0 ? failure_set("openat2", path) : descriptor;
}

int make_directory(struct setup *setup, char **fields) {
  uint64_t mode;
  struct stat status;
  if (number_parse(fields[1], 8, 07777, &mode) < 0)
    return -1;
  int descriptor = make_open(setup, fields[0], LINKS_INSIDE);
  if (descriptor < 0 && errno == ENOENT) {
    descriptor = open_directory(setup, fields[0], LINKS_INSIDE, (mode_t)mode & 0777);
    /* mkdir(2) leaves setuid, setgid and sticky out. O_PATH can't be chmodded, its name in /proc can. */
    if (descriptor >= 0 && (mode & 07000) != 0) {
      int writable = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (writable < 0 || fchmod(writable, (mode_t)mode) < 0)
        return failure_set("fchmod", fields[0]);
      close(writable);
    }
  }
  if (descriptor < 0)
    return failure_set("openat2", fields[0]);
  if (fstat(descriptor, &status) < 0)
    return failure_set("fstat", fields[0]);
  close(descriptor);
  if (!S_ISDIR(status.st_mode)) {
    errno = ENOTDIR;
    return failure_set("mkdirat", fields[0]);
  }
  return 0;
}

/* Unlinks what bears the name; a directory stays and fails. */
static int clear_name(int parent, const struct cut *cut, char *path) {
  if (unlinkat(parent, cut->name, 0) < 0 && errno != ENOENT)
    return failure_set("unlinkat", path);
  return 0;
}

int make_write_all(int descriptor, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(descriptor, bytes, length);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return -1;
    bytes += written;
    length -= (size_t)written;
  }
  return 0;
}

static int fill_file(int parent, const struct cut *cut, char **fields, mode_t mode) {
  int descriptor = openat(parent, cut->name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return failure_set("openat", fields[0]);
  if (make_write_all(descriptor, fields[2], strlen(fields[2])) < 0)
    return failure_set("write", fields[0]);
  if (fchmod(descriptor, mode) < 0)
    return failure_set("fchmod", fields[0]);
  close(descriptor);
  return 0;
}

int make_file(struct setup *setup, char **fields) {
  struct cut cut;
  uint64_t mode;
  if (number_parse(fields[1], 8, 07777, &mode) < 0)
    return -1;
  int parent = open_parent(setup, fields[0], &cut);
  if (parent < 0 || clear_name(parent, &cut, fields[0]) < 0 || fill_file(parent, &cut, fields, (mode_t)mode) < 0)
    return -1;
  close(parent);
  return 0;
}

int make_symlink(struct setup *setup, char **fields) {
  struct cut cut;
  int parent = open_parent(setup, fields[0], &cut);
  if (parent < 0 || clear_name(parent, &cut, fields[0]) < 0)
    return -1;
  if (symlinkat(fields[1], parent, cut.name) < 0)
    return failure_set("symlinkat", fields[0]);
  close(parent);
  return 0;
}

/* An overlay whose upper lacks the attributes it needs mounts all the same, and fails at exactly these: removing a
 * directory of a lower layer, making it again, and renaming one. */
int make_exercise(struct setup *setup, char **fields) {
  struct cut cut;
  char renamed[NAME_MAX + 1];
  int parent = open_parent(setup, fields[0], &cut);
  if (parent < 0)
    return -1;
  if (snprintf(renamed, sizeof renamed, "%s.renamed", cut.name) >= (int)sizeof renamed)
    return failure_invalid(fields[0]);
  if (unlinkat(parent, cut.name, AT_REMOVEDIR) < 0)
    return failure_set("unlinkat", fields[0]);
  if (mkdirat(parent, cut.name, 0755) < 0)
    return failure_set("mkdirat", fields[0]);
  if (renameat(parent, cut.name, parent, renamed) < 0 || renameat(parent, renamed, parent, cut.name) < 0)
    return failure_set("renameat", fields[0]);
  close(parent);
  return 0;
}
