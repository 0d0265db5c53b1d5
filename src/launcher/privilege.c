#include "privilege.h"

#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "plan.h"
#include "receipt.h"
#include "setup.h"
#include "watch.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

/* The caller's groups may stay only where the kernel forbids to set any, and none is asked for. */
static int set_groups(const struct setup *setup) {
  char answer[8] = "";
  int descriptor = openat(setup->proc, "self/setgroups", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return failure_set("openat", "setgroups");
  if (read(descriptor, answer, sizeof answer - 1) < 0)
    return failure_set("read", "setgroups");
  close(descriptor);
  if (setup->group_count == 0 && strncmp(answer, "deny", 4) == 0)
    return 0;
  return setgroups(setup->group_count, setup->groups) < 0 ? failure_set("setgroups", "") : 0;
}

int privilege_enter_directory(struct setup *setup, char **fields) {
  (void)setup;
  char path[PATH_MAX];
  int descriptor = kernel_openat2(AT_FDCWD, fields[0], O_PATH | O_DIRECTORY, 0, RESOLVE_NO_MAGICLINKS);
  if (descriptor < 0)
    return failure_set("openat2", fields[0]);
  if (fchdir(descriptor) < 0)
    return failure_set("fchdir", fields[0]);
  close(descriptor);
  /* Outside the root getcwd succeeds with "(unreachable)…": such a directory is nobody's working directory
   * (CVE-2024-21626). */
  if (syscall(SYS_getcwd, path, sizeof path) < 0 || path[0] != '/') {
    errno = EXDEV;
    return failure_set("getcwd", fields[0]);
  }
  return 0;
}

int privilege_add_group(struct setup *setup, char **fields) {
  uint64_t gid;
  if (number_parse(fields[0], 10, UINT32_MAX - 1, &gid) < 0)
    return -1;
  if (setup->group_count == SETUP_GROUPS)
    return failure_invalid("too many groups");
  setup->groups[setup->group_count++] = (gid_t)gid;
  return 0;
}

int privilege_become_user(struct setup *setup, char **fields) {
  uint64_t uid, gid;
  if (number_parse(fields[0], 10, UINT32_MAX - 1, &uid) < 0 || number_parse(fields[1], 10, UINT32_MAX - 1, &gid) < 0)
    return -1;
  if (set_groups(setup) < 0)
    return -1;
  /* Pipes and terminals are files: without this, opening /dev/stdout again is refused to any user but root. */
  for (int descriptor = 0; descriptor < 3; descriptor++)
    if (fchown(descriptor, (uid_t)uid, (gid_t)-1) < 0)
      return failure_set("fchown", fields[0]);
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
    return failure_set("prctl", "PR_SET_KEEPCAPS");
  if (setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) < 0)
    return failure_set("setresgid", fields[1]);
  if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
    return failure_set("setresuid", fields[0]);
  if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
    return failure_set("prctl", "PR_SET_KEEPCAPS");
  /* What a change of ids has made of it is the host's setting (fs.suid_dumpable). */
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? failure_set("prctl", "PR_SET_DUMPABLE") : 0;
}

static int set_capabilities(uint64_t mask) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2] = {
      {.effective = (uint32_t)mask, .permitted = (uint32_t)mask},
      {.effective = (uint32_t)(mask >> 32), .permitted = (uint32_t)(mask >> 32)},
  };
  return (int)syscall(SYS_capset, &header, sets);
}

static int raise_permitted(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2];
  if (syscall(SYS_capget, &header, sets) < 0)
    return -1;
  return set_capabilities((uint64_t)sets[1].permitted << 32 | sets[0].permitted);
}

int privilege_limit_capabilities(struct setup *setup, char **fields) {
  (void)setup;
  uint64_t bound, held;
  if (number_parse(fields[0], 16, UINT64_MAX, &bound) < 0 || number_parse(fields[1], 16, UINT64_MAX, &held) < 0)
    return -1;
  /* A user other than root has lost its effective set; dropping from the bounding set takes CAP_SETPCAP. */
  if (raise_permitted() < 0)
    return failure_set("capset", fields[0]);
  for (int capability = 0; capability < 64; capability++) {
    if ((bound >> capability & 1) != 0 || prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
      continue;
    /* Past the kernel's last one there is nothing to drop. */
    if (errno == EINVAL && prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0)
      break;
    return failure_set("prctl", "PR_CAPBSET_DROP");
  }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
    return failure_set("prctl", "PR_CAP_AMBIENT_CLEAR_ALL");
  return set_capabilities(held) < 0 ? failure_set("capset", fields[1]) : 0;
}

int privilege_keep(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[2];
  if (geteuid() == 0)
    return 0;
  failure_begin("launch");
  if (syscall(SYS_capget, &header, sets) < 0)
    return failure_set("capget", "");
  for (int half = 0; half < 2; half++)
    sets[half].inheritable = sets[half].permitted;
  if (syscall(SYS_capset, &header, sets) < 0)
    return failure_set("capset", "inheritable");
  for (int capability = 0; capability < 64; capability++)
    if ((sets[capability / 32].permitted >> capability % 32 & 1) != 0 &&
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
      return failure_set("prctl", "PR_CAP_AMBIENT_RAISE");
  return 0;
}

int privilege_become_root(void) {
  failure_begin("launch");
  /* EINVAL: the one id that there is has another number. */
  if (setresgid(0, 0, 0) < 0 && errno != EINVAL)
    return failure_set("setresgid", "0");
  return setresuid(0, 0, 0) < 0 && errno != EINVAL ? failure_set("setresuid", "0") : 0;
}

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* Lets init wait, pass signals on and say how the guest ended. Whoever has CAP_SYS_PTRACE in the container can make
 * init do what he likes, and is to have no more of it than of himself. */
static int filter_init(void) {
  static const unsigned short calls[] = {SYS_wait4, SYS_rt_sigtimedwait, SYS_kill,         SYS_write,
                                         SYS_close, SYS_getpid,          SYS_rt_sigreturn, SYS_restart_syscall,
                                         SYS_exit,  SYS_exit_group};
  enum { COUNT = sizeof calls / sizeof *calls };
  struct sock_filter steps[COUNT + 6] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
  };
  for (unsigned index = 0; index < COUNT; index++)
    steps[4 + index] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[index], (unsigned char)(COUNT - index), 0);
  steps[COUNT + 4] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  steps[COUNT + 5] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {.len = COUNT + 6, .filter = steps};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? failure_set("seccomp", "init") : 0;
}

int privilege_reduce_init(void) {
  failure_begin("launch");
  if (set_capabilities(1ULL << CAP_KILL) < 0)
    return failure_set("capset", "init");
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? failure_set("prctl", "init") : filter_init();
}

int privilege_forbid_gain(struct setup *setup, char **fields) {
  (void)setup;
  (void)fields;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? failure_set("prctl", "PR_SET_NO_NEW_PRIVS") : 0;
}

static int scope_by_landlock(uint64_t scope, const char *name) {
  struct kernel_landlock_ruleset rules = {.scoped = scope};
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
  if (ruleset < 0)
    return failure_set("landlock_create_ruleset", name);
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
    return failure_set("landlock_restrict_self", name);
  close(ruleset);
  return 0;
}

int privilege_scope(struct setup *setup, char **fields) {
  uint64_t scope;
  if (strcmp(fields[0], "abstract-unix-socket") == 0)
    scope = KERNEL_LANDLOCK_SCOPE_ABSTRACT_UNIX;
  else if (strcmp(fields[0], "signal") == 0)
    scope = KERNEL_LANDLOCK_SCOPE_SIGNAL;
  else
    return failure_invalid(fields[0]);
  if (!setup->landlock_wanted) {
    setup->landlock_wanted = true;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, KERNEL_LANDLOCK_VERSION);
    setup->landlock_abi = abi < 0 ? 0 : (int)abi;
  }
  /* Older kernels can't: the receipt says which scopes hold, and whoever requires one judges by that. */
  if (setup->landlock_abi < 6)
    return 0;
  /* As for the filter: without no_new_privs it takes CAP_SYS_ADMIN. */
  if (raise_permitted() < 0)
    return failure_set("capset", fields[0]);
  if (scope_by_landlock(scope, fields[0]) < 0)
    return -1;
  setup->landlock_scopes |= scope;
  return 0;
}

int privilege_read_filter(const struct plan *plan, struct setup *setup) {
  static struct sock_filter instructions[BPF_MAXINSNS + 1];
  for (size_t index = 0; index < plan->step_count; index++)
    if (plan->steps[index].operation->perform == privilege_filter)
      setup->seccomp_wanted = true;
  if (!setup->seccomp_wanted)
    return 0;
  failure_begin("seccomp");
  ssize_t length = pread(DESCRIPTOR_SECCOMP, instructions, sizeof instructions, 0);
  if (length < 0)
    return failure_set("pread", "program");
  if (length == 0 || length % (ssize_t)sizeof *instructions != 0 ||
      length > BPF_MAXINSNS * (ssize_t)sizeof *instructions)
    return failure_invalid("not a seccomp program");
  setup->seccomp.filter = instructions;
  setup->seccomp.len = (unsigned short)((size_t)length / sizeof *instructions);
  return 0;
}

int privilege_filter(struct setup *setup, char **fields) {
  (void)fields;
  failure_begin("receipt");
  if (receipt_collect(setup, setup->receipt) < 0)
    return -1;
  failure_begin("seccomp");
  /* Without no_new_privs it takes CAP_SYS_ADMIN in this user namespace, which a user other than root has, but not in
   * effect. */
  if (raise_permitted() < 0)
    return failure_set("capset", "");
  if (setup->watch != WATCH_NOTHING)
    return watch_load(setup);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &setup->seccomp) < 0)
    return failure_set("seccomp", "program");
  return 0;
}
