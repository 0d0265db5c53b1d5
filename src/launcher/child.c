#include "child.h"

#include "channel.h"
#include "failure.h"
#include "guest.h"
#include "init.h"
#include "kernel.h"
#include "number.h"
#include "privilege.h"
#include "setup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define HANDOVER_NUMBERS (sizeof(struct handover) / sizeof(int))

/* A copy of this program that nobody can write to, whoever gets hold of it through /proc/PID/exe (CVE-2019-5736). */
static int seal_own_program(void) {
  struct stat status;
  off_t offset = 0;
  failure_begin("launch");
  int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (program < 0 || fstat(program, &status) < 0)
    return failure_set("open", "/proc/self/exe");
  int copy = memfd_create("wolffia-launcher", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  /* Kernels before 6.3 don't know MFD_EXEC and need none. */
  if (copy < 0 && errno == EINVAL)
    copy = memfd_create("wolffia-launcher", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0)
    return failure_set("memfd_create", "");
  while (offset < status.st_size) {
    ssize_t count = sendfile(copy, program, &offset, (size_t)(status.st_size - offset));
    if (count <= 0)
      return failure_set("sendfile", "/proc/self/exe");
  }
  if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
    return failure_set("fcntl", "F_ADD_SEALS");
  close(program);
  return copy;
}

static void execute_copy(int copy, const struct handover *handover) {
  char numbers[HANDOVER_NUMBERS][21];
  char *arguments[HANDOVER_NUMBERS + 2] = {CHILD_NAME}, *environment[] = {NULL};
  const int *values = (const int *)handover;
  for (size_t index = 0; index < HANDOVER_NUMBERS; index++)
    arguments[index + 1] = number_format(numbers[index], (uint64_t)values[index]);
  kernel_execveat(copy, arguments, environment);
  failure_set("execveat", CHILD_NAME);
}

/* What must hold before the first operation. */
static int prepare(const struct handover *handover, struct setup *setup) {
  failure_begin("launch");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return failure_set("prctl", "");
  /* Had the parent died before that, nobody would ever send the signal: its end of the channel would be closed. */
  struct received received;
  if (channel_receive(handover->channel, &received) != 0)
    _exit(125);
  umask(0);
  setup->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (setup->proc < 0)
    return failure_set("open", "/proc");
  setup->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return setup->root < 0 ? failure_set("open", "/") : 0;
}

void child_begin(const struct handover *handover, const struct plan *plan, struct setup *setup) {
  close(DESCRIPTOR_PLAN);
  close(DESCRIPTOR_CONTROL);
  /* While the parent writes the maps. */
  int copy = plan->arguments == NULL ? -1 : seal_own_program();
  if (plan->arguments != NULL && copy < 0)
    channel_fail(handover->channel);
  if (channel_expect(handover->channel, MESSAGE_MAPPED) < 0)
    _exit(125);
  if (plan->arguments != NULL) {
    execute_copy(copy, handover);
    channel_fail(handover->channel);
  }
  if (prepare(handover, setup) < 0 || plan_perform(plan, setup, PHASE_CHILD) < 0)
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

/* The guest is forked with all signals blocked, so that init misses none of its own. */
static void split_off_guest(const struct handover *handover, const struct plan *plan, struct setup *setup) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  failure_begin("launch");
  pid_t guest = fork();
  if (guest < 0) {
    failure_set("fork", "");
    channel_fail(handover->channel);
  }
  if (guest == 0)
    guest_run(handover, plan, setup);
  init_run(guest, handover->status);
}

void child_resume(int argc, char **argv) {
  static struct setup setup;
  struct handover handover;
  struct plan plan;
  if (take_handover(argc, argv, &handover) < 0)
    _exit(125);
  setup_clear(&setup);
  failure_begin("launch");
  prctl(PR_SET_NAME, CHILD_NAME, 0, 0, 0);
  if (map_plan(handover.plan, &plan) < 0 || plan_perform(&plan, &setup, PHASE_PARENT) < 0 ||
      prepare(&handover, &setup) < 0 || privilege_read_filter(&plan, &setup) < 0 ||
      plan_perform(&plan, &setup, PHASE_CHILD) < 0)
    channel_fail(handover.channel);
  split_off_guest(&handover, &plan, &setup);
  _exit(125);
}
