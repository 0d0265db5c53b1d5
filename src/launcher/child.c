#include "child.h"

#include "cgroup.h"
#include "channel.h"
#include "failure.h"
#include "guest.h"
#include "init.h"
#include "kernel.h"
#include "limit.h"
#include "mount.h"
#include "namespace.h"
#include "network.h"
#include "number.h"
#include "privilege.h"
#include "setup.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define HANDOVER_NUMBERS (sizeof(struct handover) / sizeof(int))

/* Puts this program's file read-only over itself, in the child's own mount namespace, so that nobody who gets hold of
 * it through /proc/PID/exe can write to it or change its mode (CVE-2019-5736). It goes with the old root; what runs
 * from it stays read-only, and a mount that is in no namespace can't be changed again. */
static int protect_own_program(void) {
  char path[PATH_MAX];
  struct stat running, found;
  struct kernel_mount_attributes change = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV};
  failure_begin("launch");
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length < 0 || stat("/proc/self/exe", &running) < 0)
    return failure_set("readlink", "/proc/self/exe");
  path[length] = '\0';
  int mount = kernel_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);
  if (mount < 0 || fstat(mount, &found) < 0)
    return failure_set("open_tree", "/proc/self/exe");
  /* Replaced since it was started: what now bears the name is another program. */
  if (running.st_dev != found.st_dev || running.st_ino != found.st_ino) {
    errno = ESTALE;
    return failure_set("open_tree", "/proc/self/exe");
  }
  if (kernel_mount_setattr(mount, 0, &change) < 0)
    return failure_set("mount_setattr", "/proc/self/exe");
  /* Onto what was just cloned: detached, it would cost a wait for the kernel's readers when it is closed. */
  if (kernel_move_mount(mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return failure_set("move_mount", "/proc/self/exe");
  return mount;
}

/* Without a mount namespace the guest has the caller's files by name, and there is nothing to protect from it. */
static int open_own_program(const struct setup *setup) {
  if ((setup->namespaces & CLONE_NEWNS) != 0)
    return protect_own_program();
  int program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
  return program < 0 ? failure_set("open", "/proc/self/exe") : program;
}

static void execute_again(int program, const struct handover *handover) {
  char numbers[HANDOVER_NUMBERS][21];
  char *arguments[HANDOVER_NUMBERS + 2] = {CHILD_NAME}, *environment[] = {NULL};
  const int *values = (const int *)handover;
  for (size_t index = 0; index < HANDOVER_NUMBERS; index++)
    arguments[index + 1] = number_format(numbers[index], (uint64_t)values[index]);
  if (privilege_keep() < 0)
    return;
  failure_begin("launch");
  kernel_execveat(program, arguments, environment);
  failure_set("execveat", CHILD_NAME);
}

/* Dies with the parent. One that died before this was asked for is seen by its end of the channel, which must then have
 * been its alone. */
static int follow_parent(void) {
  failure_begin("launch");
  return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? failure_set("prctl", "PR_SET_PDEATHSIG") : 0;
}

/* Both are lost with a change of ids. */
static int stay_guarded(void) {
  if (follow_parent() < 0)
    return -1;
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? failure_set("prctl", "PR_SET_DUMPABLE") : 0;
}

/* What has no program is in the user namespace already, and only needs to be in that of the mounts. */
static int join_rest(const struct plan *plan, struct setup *setup) {
  uint64_t namespaces = setup->namespaces & ~(plan->arguments == NULL ? (uint64_t)CLONE_NEWUSER : 0);
  if (namespace_join(setup, namespaces) < 0)
    return -1;
  close(setup->joined_process);
  return stay_guarded();
}

/* Not sooner than what the caller may read by who he is has been opened. */
static int become_root(const struct setup *setup) {
  if ((setup->namespaces & CLONE_NEWUSER) == 0 || geteuid() == 0)
    return 0;
  return privilege_become_root() < 0 ? -1 : stay_guarded();
}

/* What must hold before the first operation. */
static int prepare(const struct handover *handover, const struct plan *plan, struct setup *setup) {
  struct received received;
  bool begins_program = setup->joined != 0 && plan->arguments != NULL;
  if (begins_program)
    setup->joined_process = handover->joined;
  if (begins_program && limit_inherit_oom_score(plan) < 0)
    return -1;
  /* Not sooner: the parent could not write the id maps. */
  if (stay_guarded() < 0)
    return -1;
  if (channel_receive(handover->channel, &received) != 0)
    _exit(125);
  umask(0);
  setup->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (setup->proc < 0)
    return failure_set("open", "/proc");
  if (setup->joined != 0 && join_rest(plan, setup) < 0)
    return -1;
  setup->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (setup->root < 0)
    return failure_set("open", "/");
  return mount_open_sources(plan, setup) < 0 ? -1 : become_root(setup);
}

/* The child's operations, the network joined before the first that needs it, or after them all. */
static int perform(const struct handover *handover, const struct plan *plan, struct setup *setup) {
  setup->channel = handover->channel;
  return plan_perform(plan, setup, PHASE_CHILD) < 0 ? -1 : network_join(setup);
}

/* The guest is forked with all signals blocked, so that init misses none of its own. */
static void split_off_guest(const struct handover *handover, const struct plan *plan, struct setup *setup) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  int begun[2];
  failure_begin("launch");
  if (pipe(begun) < 0) {
    failure_set("pipe", "init");
    channel_fail(handover->channel);
  }
  pid_t guest = fork();
  if (guest < 0) {
    failure_set("fork", "");
    channel_fail(handover->channel);
  }
  if (guest != 0)
    init_run(guest, handover->status, begun[1]);
  close(begun[1]);
  setup->begun = begun[0];
  guest_run(handover, plan, setup);
}

/* A copy of this program that nobody can write to, whoever gets hold of it through /proc/PID/exe (CVE-2019-5736): a
 * mount over it, as a start has, would be one more mount of a container that runs. */
static int copy_own_program(void) {
  failure_begin("launch");
  int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  /* Said to be executed, since a host may forbid that of what does not say so (vm.memfd_noexec); kernels before 6.3 do
   * not know the word. */
  int copy = memfd_create(CHILD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING | KERNEL_MFD_EXEC);
  if (copy < 0 && errno == EINVAL)
    copy = memfd_create(CHILD_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ssize_t count = program < 0 || copy < 0 ? -1 : 1;
  while (count > 0)
    count = sendfile(copy, program, NULL, 1 << 20);
  if (count < 0 || fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
    return failure_set("memfd_create", "/proc/self/exe");
  close(program);
  return copy;
}

/* Into a running container. What is executed again is so before it enters: a program belongs to the user namespace that
 * it was executed in, and who has CAP_SYS_PTRACE in the container's alone may not look into it (ptrace(2)), nor into
 * what it forks there, which still has descriptors of the host's and every privilege. This process itself stays in the
 * host's pid namespace, where nobody inside can name it. */
static _Noreturn void join(struct handover *handover, const struct plan *plan, struct setup *setup) {
  if (plan->arguments == NULL) {
    if (namespace_join(setup, CLONE_NEWUSER) < 0 || prepare(handover, plan, setup) < 0 ||
        perform(handover, plan, setup) < 0)
      channel_fail(handover->channel);
    channel_send(handover->channel, MESSAGE_DONE);
    _exit(0);
  }
  int program = copy_own_program();
  handover->joined = setup->joined_process;
  if (program >= 0 && fcntl(handover->joined, F_SETFD, 0) < 0)
    failure_set("fcntl", "join");
  else if (program >= 0)
    execute_again(program, handover);
  channel_fail(handover->channel);
}

void child_begin(struct handover *handover, int parents_channel, const struct plan *plan, struct setup *setup) {
  close(parents_channel);
  close(DESCRIPTOR_PLAN);
  close(DESCRIPTOR_CONTROL);
  if (follow_parent() < 0)
    channel_fail(handover->channel);
  bool again = plan->arguments != NULL && setup->joined == 0;
  handover->network = setup->network = network_begin(plan, setup, again);
  if (handover->network < 0)
    channel_fail(handover->channel);
  /* While the parent writes the maps. */
  int program = again ? open_own_program(setup) : -1;
  if (again && program < 0)
    channel_fail(handover->channel);
  if (channel_expect_with(handover->channel, MESSAGE_MAPPED, &handover->memory) < 0)
    channel_fail(handover->channel);
  setup->memory = handover->memory;
  if (setup->joined != 0)
    join(handover, plan, setup);
  if (cgroup_isolate(setup) < 0 || network_go_on(setup) < 0)
    channel_fail(handover->channel);
  if (again) {
    execute_again(program, handover);
    channel_fail(handover->channel);
  }
  if (prepare(handover, plan, setup) < 0 || perform(handover, plan, setup) < 0)
    channel_fail(handover->channel);
  channel_send(handover->channel, MESSAGE_DONE);
  _exit(0);
}

static int take_handover(int argc, char **argv, struct handover *handover) {
  int *values = (int *)handover;
  if (argc != (int)HANDOVER_NUMBERS + 1)
    return -1;
  for (size_t index = 0; index < HANDOVER_NUMBERS; index++) {
    uint64_t value;
    if (number_parse(argv[index + 1], 10, 65535, &value) < 0)
      return -1;
    values[index] = (int)value;
  }
  return 0;
}

static int map_plan(int descriptor, struct plan *plan) {
  struct stat status;
  if (fstat(descriptor, &status) < 0)
    return failure_set("fstat", "plan");
  char *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (bytes == MAP_FAILED)
    return failure_set("mmap", "plan");
  close(descriptor);
  return plan_parse(bytes, (size_t)status.st_size, plan);
}

void child_resume(int argc, char **argv) {
  static struct setup setup;
  struct handover handover;
  struct plan plan;
  if (take_handover(argc, argv, &handover) < 0)
    _exit(125);
  setup_clear(&setup);
  setup.network = handover.network;
  setup.memory = handover.memory;
  setup.resumed = true;
  failure_begin("launch");
  prctl(PR_SET_NAME, CHILD_NAME, 0, 0, 0);
  if (map_plan(handover.plan, &plan) < 0 || plan_perform(&plan, &setup, PHASE_PARENT) < 0 ||
      prepare(&handover, &plan, &setup) < 0 || privilege_read_filter(&plan, &setup) < 0 ||
      perform(&handover, &plan, &setup) < 0)
    channel_fail(handover.channel);
  split_off_guest(&handover, &plan, &setup);
  _exit(125);
}
