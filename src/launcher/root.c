#include "root.h"

#include "failure.h"
#include "kernel.h"
#include "mount.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The options of mount(2) are one page. */
#define OPTIONS_BYTES 4096

static int open_folder(char *path) {
  int descriptor = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return descriptor < 0 ? failure_set("open", path) : descriptor;
}

int root_add_lower(struct setup *setup, char **fields) {
  if (setup->lower_count == SETUP_LOWERS)
    return failure_invalid("too many layers");
  int descriptor = open_folder(fields[0]);
  if (descriptor < 0)
    return -1;
  setup->lowers[setup->lower_count++] = descriptor;
  return 0;
}

int root_set_upper(struct setup *setup, char **fields) {
  if (setup->upper >= 0)
    return failure_invalid("a second upper");
  setup->upper = open_folder(fields[0]);
  if (setup->upper < 0)
    return -1;
  setup->work = open_folder(fields[1]);
  return setup->work < 0 ? -1 : 0;
}

/* Puts a mount over the caller's /proc, of which only the descriptor is used from here on: a place that exists and that
 * goes with the old root in one step, when it is taken off. */
static int cover_proc(const struct setup *setup, int mount) {
  return kernel_move_mount(mount, "", setup->proc, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
             ? failure_set("move_mount", "/proc")
             : 0;
}

static int make_staging(struct setup *setup, char *bytes, char *inodes) {
  const struct mount_option options[] = {{"size", bytes}, {"nr_inodes", inodes}, {"mode", "0755"}, {0}};
  int mount = mount_detached("tmpfs", options, MOUNT_ATTR_NODEV);
  if (mount < 0 || cover_proc(setup, mount) < 0)
    return -1;
  setup->staging = mount;
  return 0;
}

static int make_staging_folder(struct setup *setup, const char *name) {
  if (mkdirat(setup->staging, name, 0755) < 0)
    return failure_set("mkdirat", name);
  int descriptor = openat(setup->staging, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return descriptor < 0 ? failure_set("openat", name) : descriptor;
}

int root_set_upper_in_memory(struct setup *setup, char **fields) {
  if (setup->upper >= 0)
    return failure_invalid("a second upper");
  if (make_staging(setup, fields[0], fields[1]) < 0)
    return -1;
  setup->upper_in_memory = true;
  setup->upper = make_staging_folder(setup, "upper");
  setup->work = setup->upper < 0 ? -1 : make_staging_folder(setup, "work");
  return setup->work < 0 ? -1 : 0;
}

/* The options of mount(2), and how much of their one page is used. */
struct options {
  char text[OPTIONS_BYTES];
  size_t length;
};

/* Past the page nothing more is written, and the length tells. */
static void add_option(struct options *options, const char *before, int descriptor) {
  if (options->length < OPTIONS_BYTES)
    options->length +=
        (size_t)snprintf(options->text + options->length, OPTIONS_BYTES - options->length, "%s%d", before, descriptor);
}

/* Layers are named by descriptor numbers, in /proc/self/fd as the working directory: hundreds fit into a page. */
static int overlay_options(const struct setup *setup, int bottom, struct options *options) {
  const char *before = "userxattr,lowerdir=";
  options->length = 0;
  for (unsigned index = setup->lower_count; index > 0; index--, before = ":")
    add_option(options, before, setup->lowers[index - 1]);
  if (bottom >= 0)
    add_option(options, before, bottom);
  if (setup->upper >= 0) {
    add_option(options, ",upperdir=", setup->upper);
    add_option(options, ",workdir=", setup->work);
  }
  if (options->length < OPTIONS_BYTES)
    return 0;
  errno = E2BIG;
  return failure_set("mount", "lowerdir");
}

static void close_layers(struct setup *setup) {
  for (unsigned index = 0; index < setup->lower_count; index++)
    close(setup->lowers[index]);
  setup->lower_count = 0;
  if (setup->upper >= 0) {
    close(setup->upper);
    close(setup->work);
  }
}

/* An overlay shows its upper's root as its own, so a fresh upper gets the attributes of the topmost layer's. */
static int dress_upper(const struct setup *setup) {
  struct stat status;
  if (fstat(setup->lowers[setup->lower_count - 1], &status) < 0)
    return failure_set("fstat", "/");
  const struct timespec times[] = {status.st_atim, status.st_mtim};
  if (fchownat(setup->staging, "upper", status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
    return failure_set("fchownat", "/");
  if (fchmodat(setup->staging, "upper", status.st_mode & 07777, 0) < 0)
    return failure_set("fchmodat", "/");
  return utimensat(setup->staging, "upper", times, AT_SYMLINK_NOFOLLOW) < 0 ? failure_set("utimensat", "/") : 0;
}

int root_mount_overlay(struct setup *setup, char **fields) {
  (void)fields;
  struct options options;
  char target[32];
  if (setup->lower_count == 0)
    return failure_invalid("no layers");
  if (setup->upper_in_memory && dress_upper(setup) < 0)
    return -1;
  if (setup->staging < 0 && make_staging(setup, "16777216", "64") < 0)
    return -1;
  int place = make_staging_folder(setup, "root");
  /* Without an upper the kernel wants two lowers. */
  int bottom = setup->upper >= 0 ? -1 : make_staging_folder(setup, "empty");
  if (place < 0 || (setup->upper < 0 && bottom < 0) || overlay_options(setup, bottom, &options) < 0)
    return -1;
  int names = openat(setup->proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (names < 0 || fchdir(names) < 0)
    return failure_set("fchdir", "/proc/self/fd");
  snprintf(target, sizeof target, "%d/root", setup->staging);
  if (kernel_mount("overlay", target, "overlay", 0, options.text) < 0)
    return failure_set("mount", "overlay");
  setup->root = openat(setup->staging, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (setup->root < 0 || fchdir(setup->root) < 0)
    return failure_set("fchdir", "overlay");
  close(names);
  close(place);
  if (bottom >= 0)
    close(bottom);
  close_layers(setup);
  return 0;
}

int root_mount_tmpfs(struct setup *setup, char **fields) {
  const struct mount_option options[] = {{"size", fields[0]}, {"nr_inodes", fields[1]}, {"mode", fields[2]}, {0}};
  int mount = mount_detached("tmpfs", options, MOUNT_ATTR_NODEV);
  if (mount < 0 || cover_proc(setup, mount) < 0)
    return -1;
  setup->root = mount;
  return 0;
}

int root_make_read_only(struct setup *setup, char **fields) {
  (void)fields;
  struct kernel_mount_attributes change = {.set = MOUNT_ATTR_RDONLY};
  return kernel_mount_setattr(setup->root, 0, &change) < 0 ? failure_set("mount_setattr", "/") : 0;
}

int root_switch(struct setup *setup, char **fields) {
  (void)fields;
  if (fchdir(setup->root) < 0)
    return failure_set("fchdir", "/");
  /* The old root lands on top of the new one, at the same place, and is taken off again (pivot_root(2), notes). */
  if (kernel_pivot_root(".", ".") < 0)
    return failure_set("pivot_root", "/");
  if (kernel_unmount(".", MNT_DETACH) < 0)
    return failure_set("umount2", "/");
  return chdir("/") < 0 ? failure_set("chdir", "/") : 0;
}
