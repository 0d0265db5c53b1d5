#include "mount.h"

#include "failure.h"
#include "kernel.h"
#include "make.h"
#include "number.h"
#include "plan.h"
#include "setup.h"
#include "terminal.h"
#include "tree.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define HARMLESS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

int mount_make_private(struct setup *setup, char **fields) {
  (void)setup;
  (void)fields;
  return kernel_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? failure_set("mount", "/") : 0;
}

int mount_copy_all(struct setup *setup, char **fields) {
  if (kernel_unshare(CLONE_NEWNS) < 0)
    return failure_set("unshare", "mount");
  if (mount_make_private(setup, fields) < 0)
    return -1;
  close(setup->root);
  setup->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return setup->root < 0 ? failure_set("open", "/") : 0;
}

int mount_take_off(struct setup *setup, char **fields) {
  (void)setup;
  /* EINVAL: nothing is mounted there. */
  if (kernel_unmount(fields[0], MNT_DETACH | KERNEL_UNMOUNT_NOFOLLOW) < 0 && errno != ENOENT && errno != EINVAL)
    return failure_set("umount2", fields[0]);
  return 0;
}

int mount_keep_root(struct setup *setup, char **fields) {
  (void)fields;
  int root = kernel_open_tree(setup->root, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  if (root < 0)
    return failure_set("open_tree", "/");
  close(setup->root);
  setup->root = root;
  return 0;
}

int mount_detached(const char *type, const struct mount_option *options, unsigned attributes) {
  int context = kernel_fsopen(type);
  if (context < 0)
    return failure_set("fsopen", type);
  for (; options != NULL && options->key != NULL; options++) {
    unsigned command = options->value == NULL ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    if (kernel_fsconfig(context, command, options->key, options->value) < 0)
      return failure_set("fsconfig", options->value == NULL ? options->key : options->value);
  }
  if (kernel_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
    return failure_set("fsconfig", type);
  int mount = kernel_fsmount(context, attributes);
  if (mount < 0)
    return failure_set("fsmount", type);
  close(context);
  return mount;
}

/* Moves a detached mount onto the target; both are descriptors, so no name is looked at again. */
static int attach(int mount, int target, char *path) {
  if (kernel_move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
    return failure_set("move_mount", path);
  close(target);
  return 0;
}

/* A fresh file system on a directory that no symlink leads to. Its descriptor, or -1. */
static int mount_fresh(struct setup *setup, const char *type, char *path, const struct mount_option *options,
                       unsigned attributes) {
  int mount = mount_detached(type, options, attributes);
  if (mount < 0)
    return -1;
  int target = make_target(setup, path, LINKS_NONE, true);
  return target < 0 || attach(mount, target, path) < 0 ? -1 : mount;
}

static int mount_plain(struct setup *setup, const char *type, char *path, unsigned attributes) {
  int mount = mount_fresh(setup, type, path, NULL, attributes);
  return mount < 0 ? -1 : close(mount);
}

int mount_proc(struct setup *setup, char **fields) {
  return mount_plain(setup, "proc", fields[0], HARMLESS);
}

int mount_sysfs(struct setup *setup, char **fields) {
  return mount_plain(setup, "sysfs", fields[0], HARMLESS | MOUNT_ATTR_RDONLY);
}

int mount_mqueue(struct setup *setup, char **fields) {
  return mount_plain(setup, "mqueue", fields[0], HARMLESS);
}

/* Of each hierarchy of version 1 the controllers are the options. */
#define CONTROLLERS 16

int mount_cgroup(struct setup *setup, char **fields) {
  struct mount_option options[CONTROLLERS + 1] = {{0}};
  const unsigned attributes = HARMLESS | MOUNT_ATTR_RDONLY;
  if (strcmp(fields[1], "unified") == 0)
    return mount_plain(setup, "cgroup2", fields[0], attributes);
  if (strcmp(fields[1], "folder") == 0)
    return mount_plain(setup, "tmpfs", fields[0], HARMLESS);
  unsigned count = 0;
  for (char *word = fields[1]; word != NULL; count++) {
    if (count == CONTROLLERS || *word == '\0')
      return failure_invalid(fields[1]);
    options[count].key = word;
    word = strchr(word, ',');
    if (word != NULL)
      *word++ = '\0';
  }
  int mount = mount_fresh(setup, "cgroup", fields[0], options, attributes);
  return mount < 0 ? -1 : close(mount);
}

int mount_devpts(struct setup *setup, char **fields) {
  /* The kernel has some three thousand terminals for all containers together: one must not take the others'. */
  const struct mount_option options[] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"max", "128"}, {0}};
  int mount = mount_fresh(setup, "devpts", fields[0], options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  if (mount < 0 || (setup->stdio == STDIO_TERMINAL && terminal_open(setup, mount) < 0))
    return -1;
  return close(mount);
}

int mount_console(struct setup *setup, char **fields) {
  int terminal = terminal_open_guest_end(setup);
  if (terminal < 0)
    return -1;
  int mount = kernel_open_tree(terminal, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  if (mount < 0)
    return failure_set("open_tree", fields[0]);
  close(terminal);
  int target = make_target(setup, fields[0], LINKS_NONE, false);
  return target < 0 || attach(mount, target, fields[0]) < 0 ? -1 : close(mount);
}

/* What the words of a mount's flags say. */
struct flags {
  uint64_t attributes;
  unsigned recursive; /* AT_RECURSIVE or 0 */
  bool no_symlinks;
  bool device; /* and nothing else */
};

/* Reads `ro,nosuid`; `recursive` and `no-symlinks` are told apart, they are no attributes. */
static int parse_flags(char *words, struct flags *flags) {
  static const struct {
    const char *word;
    uint64_t attribute;
  } known[] = {{"ro", MOUNT_ATTR_RDONLY},
               {"nosuid", MOUNT_ATTR_NOSUID},
               {"nodev", MOUNT_ATTR_NODEV},
               {"noexec", MOUNT_ATTR_NOEXEC},
               {"noatime", MOUNT_ATTR_NOATIME},
               {"recursive", 0},
               {"no-symlinks", 0},
               {"device", 0}};
  *flags = (struct flags){0};
  for (char *at = words; *at != '\0';) {
    size_t length = strcspn(at, ","), index = 0;
    while (index < sizeof known / sizeof *known &&
           (strlen(known[index].word) != length || strncmp(known[index].word, at, length) != 0))
      index++;
    if (index == sizeof known / sizeof *known)
      return failure_invalid(words);
    flags->attributes |= known[index].attribute;
    if (strcmp(known[index].word, "recursive") == 0)
      flags->recursive = AT_RECURSIVE;
    if (strcmp(known[index].word, "no-symlinks") == 0)
      flags->no_symlinks = true;
    if (strcmp(known[index].word, "device") == 0)
      flags->device = true;
    at += length + (at[length] == ',');
  }
  return 0;
}

/* Adds attributes and takes none away: those inherited from a more privileged owner are locked (mount_setattr(2)). */
static int add_attributes(int mount, uint64_t attributes, unsigned recursive, char *path) {
  struct kernel_mount_attributes change = {.set = attributes};
  if (attributes != 0 && kernel_mount_setattr(mount, recursive, &change) < 0)
    return failure_set("mount_setattr", path);
  return 0;
}

/* The target of a mount that a plan's user chose. An image's symlink may lead it into the kernel's own file systems,
 * where it would cover what `mask` and `read-only` guard (CVE-2019-16884): whatever the path is called, it stays out of
 * them. */
static int open_target(struct setup *setup, char *path, bool directory) {
  struct statfs status;
  int target = make_target(setup, path, LINKS_INSIDE, directory);
  if (target < 0)
    return -1;
  if (fstatfs(target, &status) < 0)
    return failure_set("fstatfs", path);
  if (status.f_type == PROC_SUPER_MAGIC || status.f_type == SYSFS_MAGIC) {
    errno = EXDEV;
    return failure_set("openat2", path);
  }
  return target;
}

int mount_tmpfs(struct setup *setup, char **fields) {
  struct flags flags;
  const struct mount_option options[] = {{"size", fields[1]}, {"nr_inodes", fields[2]}, {"mode", fields[3]}, {0}};
  if (parse_flags(fields[4], &flags) < 0)
    return -1;
  int mount = mount_detached("tmpfs", options, (unsigned)flags.attributes);
  if (mount < 0)
    return -1;
  int target = open_target(setup, fields[0], true);
  return target < 0 || attach(mount, target, fields[0]) < 0 ? -1 : close(mount);
}

int mount_tree(struct setup *setup, char **fields) {
  struct flags flags;
  const struct mount_option options[] = {{"size", fields[1]}, {"nr_inodes", fields[2]}, {0}};
  if (parse_flags(fields[3], &flags) < 0)
    return -1;
  if (setup->tree >= 0)
    close(setup->tree);
  setup->tree = -1;
  int mount = mount_detached("tmpfs", options, (unsigned)(flags.attributes & ~(uint64_t)MOUNT_ATTR_RDONLY));
  if (mount < 0 || tree_fill(setup, mount, fields[4]) < 0 ||
      add_attributes(mount, flags.attributes & MOUNT_ATTR_RDONLY, 0, fields[0]) < 0)
    return -1;
  int target = open_target(setup, fields[0], true);
  if (target < 0 || attach(mount, target, fields[0]) < 0)
    return -1;
  /* A second mount of the same tree, in no namespace, shows nothing of what is mounted below the first. */
  setup->tree = kernel_open_tree(mount, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  return setup->tree < 0 ? failure_set("open_tree", fields[0]) : close(mount);
}

/* A detached copy of what a `bind` names, or -1 with the failure set. */
static int clone_source(char **fields) {
  struct flags flags;
  struct stat status;
  if (parse_flags(fields[2], &flags) < 0)
    return -1;
  const char *path = fields[0];
  int source = AT_FDCWD;
  /* Whoever can write in a folder on the way can put a symlink there after the caller has looked (CVE-2023-0778). */
  if (flags.no_symlinks) {
    source = kernel_openat2(AT_FDCWD, path, O_PATH, 0, RESOLVE_NO_SYMLINKS);
    if (source < 0)
      return failure_set("openat2", path);
    path = "";
  }
  int mount =
      kernel_open_tree(source, path, OPEN_TREE_CLONE | flags.recursive | (flags.no_symlinks ? AT_EMPTY_PATH : 0));
  if (mount < 0)
    return failure_set("open_tree", fields[0]);
  if (flags.no_symlinks)
    close(source);
  /* Without nodev, so it is looked at once more: what was a device when the caller looked may be a folder by now. */
  if (flags.device && (fstat(mount, &status) < 0 || !(S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)))) {
    errno = ENODEV;
    return failure_set("open_tree", fields[0]);
  }
  /* Private: what the host mounts below the source later must not appear inside. */
  struct kernel_mount_attributes change = {.set = flags.attributes, .propagation = MS_PRIVATE};
  return kernel_mount_setattr(mount, flags.recursive, &change) < 0 ? failure_set("mount_setattr", fields[0]) : mount;
}

int mount_open_sources(const struct plan *plan, struct setup *setup) {
  size_t count = 0;
  for (size_t index = 0; index < plan->step_count; index++)
    count += plan->steps[index].operation->perform == mount_bind;
  if (count == 0)
    return 0;
  failure_begin("bind");
  setup->next_source = setup->sources = malloc(count * sizeof *setup->sources);
  if (setup->sources == NULL)
    return failure_set("malloc", "sources");
  for (size_t index = 0; index < plan->step_count; index++) {
    if (plan->steps[index].operation->perform != mount_bind)
      continue;
    int mount = clone_source(plan->steps[index].fields);
    if (mount < 0)
      return -1;
    *setup->next_source++ = mount;
  }
  setup->next_source = setup->sources;
  return 0;
}

int mount_bind(struct setup *setup, char **fields) {
  struct stat status;
  int mount = *setup->next_source++;
  if (fstat(mount, &status) < 0)
    return failure_set("fstat", fields[0]);
  int target = open_target(setup, fields[1], S_ISDIR(status.st_mode));
  return target < 0 || attach(mount, target, fields[1]) < 0 ? -1 : close(mount);
}

int mount_file(struct setup *setup, char **fields) {
  struct flags flags;
  uint64_t mode;
  char name[32];
  if (parse_flags(fields[3], &flags) < 0 || number_parse(fields[1], 8, 0777, &mode) < 0)
    return -1;
  if (setup->staging < 0)
    return failure_invalid("needs root-overlay");
  snprintf(name, sizeof name, "file-%u", setup->file_count++);
  int file = openat(setup->staging, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, (mode_t)mode);
  if (file < 0)
    return failure_set("openat", fields[0]);
  if (make_write_all(file, fields[2], strlen(fields[2])) < 0)
    return failure_set("write", fields[0]);
  int mount = kernel_open_tree(file, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  if (mount < 0)
    return failure_set("open_tree", fields[0]);
  if (add_attributes(mount, flags.attributes, 0, fields[0]) < 0)
    return -1;
  close(file);
  int target = open_target(setup, fields[0], false);
  return target < 0 || attach(mount, target, fields[0]) < 0 ? -1 : close(mount);
}

/* The cover for files: the host's /dev/null, and nothing else under that name. */
static int null_device(char *path) {
  struct stat status;
  int mount = kernel_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW);
  if (mount < 0)
    return failure_set("open_tree", "/dev/null");
  if (fstat(mount, &status) < 0)
    return failure_set("fstat", "/dev/null");
  if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) {
    errno = ENODEV;
    return failure_set("open_tree", "/dev/null");
  }
  return add_attributes(mount, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, path) < 0 ? -1 : mount;
}

/* Where an overlay is put together there is a file system for one more folder: another one is dearer to make and to
 * take down than all the mounts of it. */
static int empty_folder(const struct setup *setup, char *path) {
  const struct mount_option options[] = {{"size", "4096"}, {"nr_inodes", "1"}, {"mode", "0555"}, {0}};
  if (setup->staging < 0)
    return mount_detached("tmpfs", options, HARMLESS | MOUNT_ATTR_RDONLY);
  if (mkdirat(setup->staging, "masked", 0555) < 0)
    return failure_set("mkdirat", "masked");
  int mount = kernel_open_tree(setup->staging, "masked", OPEN_TREE_CLONE);
  if (mount < 0)
    return failure_set("open_tree", "masked");
  return add_attributes(mount, HARMLESS | MOUNT_ATTR_RDONLY, 0, path) < 0 ? -1 : mount;
}

/* Whether the kernel lets nobody in the container touch the file as it is: it refuses even the launcher, which is root
 * there with every capability, as the guest will never be. */
static bool is_closed_already(int target, const struct stat *status) {
  return S_ISREG(status->st_mode) && kernel_access(target, R_OK) < 0 && errno == EACCES &&
         kernel_access(target, W_OK) < 0 && (errno == EACCES || errno == EROFS);
}

int mount_mask(struct setup *setup, char **fields) {
  struct stat status;
  int target = make_open(setup, fields[0], LINKS_NONE);
  if (target < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : failure_set("openat2", fields[0]);
  if (fstat(target, &status) < 0)
    return failure_set("fstat", fields[0]);
  if (is_closed_already(target, &status))
    return close(target);
  int *cover = S_ISDIR(status.st_mode) ? &setup->mask_folder : &setup->mask_file;
  /* The first is kept open and copied for the others: its attributes come with it. */
  int mount = *cover >= 0               ? kernel_open_tree(*cover, "", OPEN_TREE_CLONE | AT_EMPTY_PATH)
              : S_ISDIR(status.st_mode) ? empty_folder(setup, fields[0])
                                        : null_device(fields[0]);
  if (mount < 0)
    return *cover >= 0 ? failure_set("open_tree", fields[0]) : -1;
  if (attach(mount, target, fields[0]) < 0)
    return -1;
  if (*cover >= 0)
    return close(mount);
  *cover = mount;
  return 0;
}

int mount_read_only(struct setup *setup, char **fields) {
  int target = make_open(setup, fields[0], LINKS_NONE);
  if (target < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : failure_set("openat2", fields[0]);
  int mount = kernel_open_tree(target, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
  if (mount < 0)
    return failure_set("open_tree", fields[0]);
  if (add_attributes(mount, MOUNT_ATTR_RDONLY, AT_RECURSIVE, fields[0]) < 0)
    return -1;
  return attach(mount, target, fields[0]) < 0 ? -1 : close(mount);
}
