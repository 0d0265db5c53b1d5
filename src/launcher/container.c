#include "container.h"

#include "cgroup.h"
#include "channel.h"
#include "child.h"
#include "failure.h"
#include "init.h"
#include "kernel.h"
#include "make.h"
#include "namespace.h"
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* A pipe of which the child inherits one end. `child_end` is 0 for reading, 1 for writing. */
static int make_pipe(int child_end, int *ours, int *childs) {
  int ends[2];
  if (pipe(ends) < 0)
    return failure_set("pipe", "");
  *childs = ends[child_end];
  *ours = ends[1 - child_end];
  return fcntl(*ours, F_SETFD, FD_CLOEXEC) < 0 ? failure_set("fcntl", "") : 0;
}

static int make_stdio(struct container *container, struct handover *handover, const struct setup *setup) {
  if (setup->stdio != STDIO_PIPES)
    return 0;
  for (int descriptor = 0; descriptor < 3; descriptor++) {
    int *ours = &container->stdio[descriptor];
    if (make_pipe(descriptor == 0 ? 0 : 1, ours, &handover->stdio[descriptor]) < 0)
      return -1;
    if (fcntl(*ours, F_SETFL, O_NONBLOCK) < 0)
      return failure_set("fcntl", "O_NONBLOCK");
  }
  if (!setup->stdin_open) {
    close(container->stdio[0]);
    container->stdio[0] = -1;
  }
  return 0;
}

/* The copy of the launcher that the child becomes reads the plan again, from here. */
static int store_plan(const char *bytes, size_t length) {
  int descriptor = memfd_create("plan", 0);
  if (descriptor < 0)
    return failure_set("memfd_create", "plan");
  return make_write_all(descriptor, bytes, length) < 0 ? failure_set("write", "plan") : descriptor;
}

static int prepare(struct container *container, struct handover *handover, const struct plan *plan, struct setup *setup,
                   const char *bytes, size_t length) {
  failure_begin("launch");
  if (channel_make(&container->channel, &handover->channel) < 0)
    return -1;
  if (plan->arguments == NULL)
    return 0;
  handover->plan = store_plan(bytes, length);
  return handover->plan < 0 || make_pipe(1, &container->status, &handover->status) < 0 ||
                 make_stdio(container, handover, setup) < 0
             ? -1
             : 0;
}

static void close_given(int *descriptor) {
  if (*descriptor > 0)
    close(*descriptor);
}

static void close_handover(struct handover *handover) {
  close_given(&handover->plan);
  close_given(&handover->channel);
  close_given(&handover->status);
  for (int descriptor = 0; descriptor < 3; descriptor++)
    close_given(&handover->stdio[descriptor]);
}

static int hold_mount_namespace(const struct container *container, const struct setup *setup) {
  char path[40];
  if ((setup->namespaces & CLONE_NEWNS) == 0 || setup->joined != 0)
    return -1;
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", container->pid);
  /* Only speed is lost without it. */
  return open(path, O_RDONLY | O_CLOEXEC);
}

/* A child that cannot go on. -1, with the failure as it is. */
static int abandon(const struct container *container) {
  struct failure why = failure;
  container_kill(container);
  container_reap(container);
  failure = why;
  return -1;
}

int container_create(struct container *container, const struct plan *plan, struct setup *setup, const char *bytes,
                     size_t length) {
  struct handover handover = {0};
  *container = (struct container){.process = -1, .status = -1, .stdio = {-1, -1, -1}, .guest = -1};
  if (prepare(container, &handover, plan, setup, bytes, length) < 0)
    return -1;
  container->joins = setup->joined != 0;
  container->pid = namespace_clone(setup, &container->process);
  if (container->pid < 0)
    return -1;
  if (container->pid == 0)
    child_begin(&handover, container->channel, plan, setup);
  close_handover(&handover);
  if (namespace_write_maps(setup, container->pid) < 0 || cgroup_enter(setup, container->pid) < 0)
    return abandon(container);
  container->mount_namespace = hold_mount_namespace(container, setup);
  failure_begin("launch");
  if (channel_release(container->channel, MESSAGE_MAPPED, setup->memory) < 0)
    return abandon(container);
  if (setup->memory > 0)
    close(setup->memory);
  return 0;
}

void container_kill(const struct container *container) {
  /* Of a container that was joined only what came in by this: its waiter tells the end of it. */
  int victim = container->joins && container->guest >= 0 ? container->guest : container->process;
  kernel_pidfd_send_signal(victim, SIGKILL);
}

void container_pause(const struct container *container) {
  if (!container->joins)
    kernel_pidfd_queue(container->process, SIGTSTP, INIT_EVERYBODY);
}

void container_resume(const struct container *container) {
  if (!container->joins)
    kernel_pidfd_queue(container->process, SIGCONT, INIT_EVERYBODY);
}

int container_reap(const struct container *container) {
  int init_status = 0, guest_status;
  while (waitpid(container->pid, &init_status, 0) < 0 && errno == EINTR)
    ;
  if (container->status >= 0 && read(container->status, &guest_status, sizeof guest_status) == sizeof guest_status)
    return guest_status;
  return init_status;
}
