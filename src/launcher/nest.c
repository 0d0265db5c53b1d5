#include "nest.h"

#include "failure.h"
#include "hold.h"
#include "kernel.h"
#include "namespace.h"
#include "setup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* The connection is the lease: the holder stays while anybody has one. */
static int connect_holder(const char *folder, const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int place = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0)
    return -1;
  /* By way of the folder: an address has room for some hundred bytes only. */
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", place, name);
  int lease = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (lease >= 0 && connect(lease, (struct sockaddr *)&address, sizeof address) < 0) {
    close(lease);
    lease = -1;
  }
  close(place);
  return lease;
}

int nest_set_holder(struct setup *setup, char **fields) {
  const char word = HOLD_MEMORY;
  bool wants_memory = strcmp(fields[4], "memory") == 0;
  if (!wants_memory && strcmp(fields[4], "ids") != 0)
    return failure_invalid(fields[4]);
  if (setup->resumed)
    return 0;
  pid_t pid;
  int process = namespace_open_process(fields[2], fields[3], &pid);
  if (process < 0)
    return errno == ESRCH ? 0 : -1;
  int lease = connect_holder(fields[0], fields[1]);
  /* Asked for at once, so that the answer is there when the child wants it. */
  if (lease < 0 || (wants_memory && send(lease, &word, 1, MSG_NOSIGNAL) != 1)) {
    close(process);
    if (lease >= 0)
      close(lease);
    return 0;
  }
  setup->holder = pid;
  setup->holder_process = process;
  setup->lease = lease;
  setup->lease_wanted = wants_memory;
  return 0;
}

/* The descriptor that comes with the holder's answer, -1 when it has gone instead. */
static int receive_memory(int lease) {
  char word;
  int memory = -1;
  ssize_t length;
  struct iovec bytes = {&word, 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {
      .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  do
    length = recvmsg(lease, &message, MSG_CMSG_CLOEXEC);
  while (length < 0 && errno == EINTR);
  if (length == 1 && message.msg_controllen >= CMSG_LEN(sizeof(int)) && control.header.cmsg_type == SCM_RIGHTS)
    memcpy(&memory, CMSG_DATA(&control.header), sizeof memory);
  return memory;
}

int nest_mount_memory(struct setup *setup, char **fields) {
  /* Gone: what the plan names in its memory is gone too. */
  if (setup->lease <= 0) {
    errno = ESRCH;
    return failure_set("connect", fields[0]);
  }
  int memory = receive_memory(setup->lease);
  if (memory < 0) {
    errno = ESRCH;
    return failure_set("recvmsg", fields[0]);
  }
  close(setup->lease);
  setup->lease = -1;
  if (kernel_move_mount(memory, "", AT_FDCWD, fields[0], MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return failure_set("move_mount", fields[0]);
  close(memory);
  return 0;
}

/* What a process of a moment tells of the child that it made for this one. */
struct birth {
  pid_t child;
  struct failure failure;
};

/* In that process. 0 in the child. */
static pid_t bear(const struct setup *setup, uint64_t flags, struct birth *birth) {
  /* The child is this process's parent's, and has a pidfd from there. */
  struct clone_args arguments = {.flags = flags | CLONE_PARENT};
  failure_begin("holder");
  if (kernel_setns(setup->holder_process, CLONE_NEWUSER) < 0) {
    failure_set("setns", "user");
    return -1;
  }
  /* Lost with the change of credentials; without it the maps would be nobody's to write. */
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) {
    failure_set("prctl", "PR_SET_DUMPABLE");
    return -1;
  }
  failure_begin("namespace");
  pid_t child = (pid_t)kernel_clone3(&arguments, sizeof arguments);
  /* The child has the same page. */
  if (child != 0)
    birth->child = child;
  if (child < 0)
    failure_set("clone3", "");
  return child;
}

static int finish(struct birth *birth, pid_t hand, int *process) {
  while (waitpid(hand, NULL, 0) < 0 && errno == EINTR)
    ;
  pid_t child = birth->child;
  struct failure why = birth->failure;
  munmap(birth, sizeof *birth);
  *process = child > 0 ? kernel_pidfd_open(child) : -1;
  if (child > 0 && why.error == 0 && *process >= 0)
    return child;
  if (child > 0 && *process >= 0) {
    kernel_pidfd_send_signal(*process, SIGKILL);
    close(*process);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
      ;
  }
  failure_begin("holder");
  if (why.error == 0)
    return failure_set("fork", "");
  failure = why;
  return -1;
}

pid_t nest_clone(const struct setup *setup, uint64_t flags, int *process) {
  failure_begin("holder");
  struct birth *birth = mmap(NULL, sizeof *birth, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (birth == MAP_FAILED)
    return failure_set("mmap", "");
  /* A process of its own, since there is no way back out of a user namespace. */
  pid_t hand = fork();
  if (hand < 0)
    return failure_set("fork", "");
  if (hand > 0)
    return finish(birth, hand, process);
  pid_t child = bear(setup, flags, birth);
  if (child == 0)
    return 0;
  if (child < 0 || namespace_write_maps_below(setup, child) < 0)
    birth->failure = failure;
  _exit(0);
}
