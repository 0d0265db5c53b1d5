/* The kernel's newer calls, which C libraries know late or under clashing headers. Least kernel: 5.13. */
#ifndef WOLFFIA_KERNEL_H
#define WOLFFIA_KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif
/* MFD_EXEC, since 6.3. */
#define KERNEL_MFD_EXEC 0x10U
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#define KERNEL_UNMOUNT_NOFOLLOW 8
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* struct mount_attr under a name of its own: older linux/mount.h lacks it. */
struct kernel_mount_attributes {
  uint64_t set, clear, propagation, user_namespace;
};

/* landlock_ruleset_attr of ABI 6. */
struct kernel_landlock_ruleset {
  uint64_t handled_access_fs, handled_access_net, scoped;
};

#define KERNEL_LANDLOCK_VERSION             (1U << 0)
#define KERNEL_LANDLOCK_SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define KERNEL_LANDLOCK_SCOPE_SIGNAL        (1ULL << 1)

static inline long kernel_clone3(struct clone_args *arguments, size_t size) {
  return syscall(SYS_clone3, arguments, size);
}

/* Follows FROM, which may so be a descriptor of a file without a name. */
static inline int kernel_link(const char *from, const char *to) {
  return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
}

static inline int kernel_unshare(int flags) {
  return (int)syscall(SYS_unshare, flags);
}

static inline int kernel_setns(int kind_of_namespace, int flags) {
  return (int)syscall(SYS_setns, kind_of_namespace, flags);
}

#define KERNEL_OPENAT2_TRIES 1000

/* EAGAIN says that somebody renamed or mounted anything, anywhere on the host, while a ".." was resolved (openat2(2)):
 * such a moment passes, and who makes them without end only gets that error. */
static inline int kernel_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  int descriptor = -1;
  for (int tries = 0; tries < KERNEL_OPENAT2_TRIES; tries++) {
    descriptor = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (descriptor >= 0 || errno != EAGAIN)
      break;
  }
  return descriptor;
}

/* Whether this process may, by its effective ids and capabilities. */
static inline int kernel_access(int file, int mode) {
  return (int)syscall(SYS_faccessat2, file, "", mode, AT_EMPTY_PATH | AT_EACCESS);
}

static inline int kernel_open_tree(int directory, const char *path, unsigned flags) {
  return (int)syscall(SYS_open_tree, directory, path, flags | OPEN_TREE_CLOEXEC);
}

static inline int kernel_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags) {
  return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

static inline int kernel_mount_setattr(int mount, unsigned flags, struct kernel_mount_attributes *attributes) {
  return (int)syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | flags, attributes, sizeof *attributes);
}

static inline int kernel_fsopen(const char *type) {
  return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static inline int kernel_fsconfig(int context, unsigned command, const char *key, const char *value) {
  return (int)syscall(SYS_fsconfig, context, command, key, value, 0);
}

static inline int kernel_fsmount(int context, unsigned attributes) {
  return (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
}

static inline int kernel_mount(const char *source, const char *target, const char *type, unsigned long flags,
                               const char *options) {
  return (int)syscall(SYS_mount, source, target, type, flags, options);
}

static inline int kernel_unmount(const char *target, int flags) {
  return (int)syscall(SYS_umount2, target, flags);
}

static inline int kernel_pivot_root(const char *new_root, const char *put_old) {
  return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int kernel_close_range(unsigned first, unsigned last, unsigned flags) {
  return (int)syscall(SYS_close_range, first, last, flags);
}

static inline int kernel_pidfd_open(pid_t pid) {
  return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int kernel_pidfd_send_signal(int process, int number) {
  return (int)syscall(SYS_pidfd_send_signal, process, number, NULL, 0);
}

/* The same with a value, as sigqueue(3) has one. */
static inline int kernel_pidfd_queue(int process, int number, int value) {
  siginfo_t information = {.si_signo = number, .si_code = SI_QUEUE};
  information.si_value.sival_int = value;
  return (int)syscall(SYS_pidfd_send_signal, process, number, &information, 0);
}

static inline int kernel_execveat(int program, char *const arguments[], char *const environment[]) {
  return (int)syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
}

#endif
