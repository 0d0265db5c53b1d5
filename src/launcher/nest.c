#include "nest.h"

#include "failure.h"
#include "kernel.h"
#include "namespace.h"
#include "setup.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

/* How long a holder that does not answer, since somebody has stopped it, is waited for. */
#define PATIENCE_S 1

/* The connection is the lease: the holder stays while anybody has one. */
static int connect_holder(const char *folder, const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const struct timeval patience = {.tv_sec = PATIENCE_S};
  int place = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0)
    return -1;
  /* By way of the folder: an address has room for some hundred bytes only. */
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", place, name);
  int lease = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (lease >= 0 && (setsockopt(lease, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
                     connect(lease, (struct sockaddr *)&address, sizeof address) < 0)) {
    close(lease);
    lease = -1;
  }
  close(place);
  return lease;
}

int nest_set_holder(struct setup *setup, char **fields) {
  pid_t pid;
  setup->memory_wanted = strcmp(fields[4], "memory") == 0;
  if (!setup->memory_wanted && strcmp(fields[4], "ids") != 0)
    return failure_invalid(fields[4]);
  if (setup->resumed)
    return 0;
  int process = namespace_open_process(fields[2], fields[3], &pid);
  if (process < 0)
    return errno == ESRCH ? 0 : -1;
  /* Kept open as long as this process lives. */
  if (connect_holder(fields[0], fields[1]) < 0) {
    close(process);
    return 0;
  }
  setup->holder = pid;
  setup->holder_process = process;
  return 0;
}

int nest_mount_memory(struct setup *setup, char **fields) {
  /* Gone: what the plan names in its memory is gone too. */
  if (setup->memory <= 0) {
    errno = ESRCH;
    return failure_set("setns", fields[0]);
  }
  if (kernel_move_mount(setup->memory, "", AT_FDCWD, fields[0], MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return failure_set("move_mount", fields[0]);
  close(setup->memory);
  setup->memory = -1;
  return 0;
}

/* What a process of a moment, the hand, tells of what it has done for this one, with which it shares descriptors. */
struct birth {
  pid_t child;
  int memory;
  bool holder_gone;
  struct failure failure;
};

static int enter_holder(const struct setup *setup, struct birth *birth) {
  failure_begin("holder");
  if (kernel_setns(setup->holder_process, CLONE_NEWUSER) < 0) {
    birth->holder_gone = errno == ESRCH;
    return failure_set("setns", "user");
  }
  /* Lost with the change of credentials; without it the maps would be nobody's to write. */
  return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? failure_set("prctl", "PR_SET_DUMPABLE") : 0;
}

/* 0 in the child, which is the child of the hand's parent and has a pidfd from there. */
static pid_t bear(uint64_t flags, struct birth *birth) {
  struct clone_args arguments = {.flags = flags | CLONE_PARENT};
  failure_begin("namespace");
  pid_t child = (pid_t)kernel_clone3(&arguments, sizeof arguments);
  /* The child has the same page. */
  if (child != 0)
    birth->child = child;
  return child < 0 ? failure_set("clone3", "") : child;
}

/* A mount of the holder's memory that is in no namespace yet, for whoever is made its owner. Taken and not given: what
 * only the holder's own user can do, by its pid, and no guest that finds its socket. */
static int take_memory(const struct setup *setup, struct birth *birth) {
  failure_begin("holder-memory");
  if (kernel_setns(setup->holder_process, CLONE_NEWNS) < 0)
    return failure_set("setns", "mount");
  birth->memory = kernel_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE);
  return birth->memory < 0 ? failure_set("open_tree", "/") : 0;
}

/* The hand's work. Returns in the child alone. */
static void work(const struct setup *setup, uint64_t flags, struct birth *birth) {
  if (enter_holder(setup, birth) == 0) {
    pid_t child = bear(flags, birth);
    if (child == 0)
      return;
    if (child > 0 && namespace_write_maps_below(setup, child) == 0 &&
        (!setup->memory_wanted || take_memory(setup, birth) == 0))
      _exit(0);
  }
  birth->failure = failure;
  _exit(1);
}

static void end_child(pid_t child, int process) {
  if (process < 0 || kernel_pidfd_send_signal(process, SIGKILL) < 0)
    kill(child, SIGKILL);
  if (process >= 0)
    close(process);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
    ;
}

/* What the hand has left; its word is only taken when it came to its end. */
static pid_t finish(struct setup *setup, struct birth birth, int status, int *process) {
  *process = birth.child > 0 ? kernel_pidfd_open(birth.child) : -1;
  setup->memory = birth.memory;
  if (status == 0 && *process >= 0)
    return birth.child;
  if (birth.child > 0)
    end_child(birth.child, *process);
  if (birth.holder_gone && !setup->memory_wanted) {
    setup->holder = 0;
    return -1;
  }
  if (birth.failure.error != 0) {
    failure = birth.failure;
    if (birth.holder_gone)
      failure_begin("holder-memory");
    return -1;
  }
  errno = ECHILD;
  failure_begin("holder");
  return failure_set("waitpid", "");
}

pid_t nest_clone(struct setup *setup, uint64_t flags, int *process) {
  struct clone_args arguments = {.flags = CLONE_FILES, .exit_signal = SIGCHLD};
  int status = -1;
  failure_begin("holder");
  struct birth *birth = mmap(NULL, sizeof *birth, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (birth == MAP_FAILED)
    return failure_set("mmap", "");
  birth->memory = -1;
  /* A process of its own, since there is no way back out of a namespace. */
  pid_t hand = (pid_t)kernel_clone3(&arguments, sizeof arguments);
  if (hand == 0) {
    work(setup, flags, birth);
    return 0;
  }
  if (hand > 0)
    while (waitpid(hand, &status, 0) < 0 && errno == EINTR)
      ;
  pid_t child = hand < 0 ? failure_set("clone3", "") : finish(setup, *birth, status, process);
  munmap(birth, sizeof *birth);
  return child;
}
