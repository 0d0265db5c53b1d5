#include "limit.h"

#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "plan.h"
#include "setup.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

int limit_lift(struct setup *setup, char **fields) {
  static const int kinds[] = {RLIMIT_NPROC, RLIMIT_MEMLOCK, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE};
  (void)setup;
  (void)fields;
  for (size_t index = 0; index < sizeof kinds / sizeof *kinds; index++) {
    struct rlimit limit;
    if (getrlimit(kinds[index], &limit) < 0)
      return failure_set("getrlimit", "");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(kinds[index], &limit) < 0)
      return failure_set("setrlimit", "");
  }
  return 0;
}

int limit_output(struct setup *setup, char **fields) {
  return number_parse(fields[0], 10, INT64_MAX, &setup->output_limit);
}

int limit_time(struct setup *setup, char **fields) {
  /* In nanoseconds from now it must still fit. */
  return number_parse(fields[0], 10, INT64_MAX / 2 / 1000000, &setup->time_limit);
}

int limit_keep_descriptor(struct setup *setup, char **fields) {
  uint64_t from, to;
  if (number_parse(fields[0], 10, 65535, &from) < 0 || number_parse(fields[1], 10, 65535, &to) < 0)
    return -1;
  if (from < DESCRIPTOR_FIRST || to < 3 || setup->keep_count == SETUP_KEEPS)
    return failure_invalid(from < DESCRIPTOR_FIRST ? fields[0] : fields[1]);
  setup->keeps[setup->keep_count++] = (struct keep){(int)from, (int)to};
  return 0;
}

static int move_above(int *descriptor, int lowest) {
  int moved = fcntl(*descriptor, F_DUPFD_CLOEXEC, lowest);
  if (moved < 0)
    return failure_set("fcntl", "keep-descriptor");
  *descriptor = moved;
  return 0;
}

int limit_descriptors(struct setup *setup, int *const *spared, unsigned count) {
  failure_begin("keep-descriptor");
  int lowest = 3;
  for (unsigned index = 0; index < setup->keep_count; index++)
    if (setup->keeps[index].to >= lowest)
      lowest = setup->keeps[index].to + 1;
  /* All sources first: one's place may be another's source. */
  for (unsigned index = 0; index < setup->keep_count; index++)
    if (move_above(&setup->keeps[index].from, lowest) < 0)
      return -1;
  for (unsigned index = 0; setup->keep_count > 0 && index < count; index++)
    if (move_above(spared[index], lowest) < 0)
      return -1;
  int highest = 2;
  for (unsigned index = 0; index < count; index++)
    if (*spared[index] > highest)
      highest = *spared[index];
  /* What the receipt need not look at is closed at once; execve closes the rest. */
  if (setup->keep_count == 0 && kernel_close_range((unsigned)highest + 1, ~0U, 0) < 0)
    return failure_set("close_range", "");
  if (kernel_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
    return failure_set("close_range", "");
  for (unsigned index = 0; index < setup->keep_count; index++)
    if (dup2(setup->keeps[index].from, setup->keeps[index].to) < 0)
      return failure_set("dup2", "keep-descriptor");
  return 0;
}

static const struct {
  const char *name;
  int resource;
} resources[] = {
    {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

static int parse_amount(char *text, rlim_t *amount) {
  uint64_t value;
  if (strcmp(text, "unlimited") == 0) {
    *amount = RLIM_INFINITY;
    return 0;
  }
  if (number_parse(text, 10, UINT64_MAX - 1, &value) < 0)
    return -1;
  *amount = value;
  return 0;
}

int limit_resource(struct setup *setup, char **fields) {
  (void)setup;
  struct rlimit limit;
  if (parse_amount(fields[1], &limit.rlim_cur) < 0 || parse_amount(fields[2], &limit.rlim_max) < 0)
    return -1;
  for (size_t index = 0; index < sizeof resources / sizeof *resources; index++)
    if (strcmp(resources[index].name, fields[0]) == 0)
      return setrlimit(resources[index].resource, &limit) < 0 ? failure_set("setrlimit", fields[0]) : 0;
  return failure_invalid(fields[0]);
}

int limit_umask(struct setup *setup, char **fields) {
  (void)setup;
  uint64_t mode;
  if (number_parse(fields[0], 8, 0777, &mode) < 0)
    return -1;
  umask((mode_t)mode);
  return 0;
}

/* What is not dumpable has files in /proc that are the namespace's root's. Where it has none they are nobody's, and
 * this process has to be dumpable for a moment: it may do all in its namespace still, and so it can be traced by no
 * guest. */
static int open_oom_score(const struct setup *setup) {
  int descriptor = openat(setup->proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (descriptor >= 0 || errno != EACCES || geteuid() == 0)
    return descriptor;
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
    return -1;
  descriptor = openat(setup->proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -1 : descriptor;
}

int limit_oom_score(struct setup *setup, char **fields) {
  if (setup->joined != 0)
    return 0;
  int descriptor = open_oom_score(setup);
  if (descriptor < 0)
    return failure_set("openat", fields[0]);
  if (write(descriptor, fields[0], strlen(fields[0])) < 0)
    return failure_set("write", fields[0]);
  close(descriptor);
  return 0;
}

int limit_inherit_oom_score(const struct plan *plan) {
  for (size_t index = 0; index < plan->step_count; index++) {
    const struct step *step = &plan->steps[index];
    if (step->operation->perform != limit_oom_score)
      continue;
    failure_begin(step->operation->name);
    int descriptor = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
      return failure_set("open", step->fields[0]);
    if (write(descriptor, step->fields[0], strlen(step->fields[0])) < 0)
      return failure_set("write", step->fields[0]);
    close(descriptor);
  }
  return 0;
}
