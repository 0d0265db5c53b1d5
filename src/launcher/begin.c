#include "begin.h"

#include "control.h"
#include "failure.h"
#include "kernel.h"
#include "listener.h"
#include "output.h"
#include "plan.h"
#include "supervision.h"
#include "tree.h"

#include <stdio.h>

int begin_set(struct setup *setup, char **fields) {
  /* The copy that goes on inside begins nothing. */
  if (setup->resumed)
    return 0;
  setup->later = tree_parse_descriptor(fields[0]);
  return setup->later < 0 || fcntl(setup->later, F_SETFD, FD_CLOEXEC) < 0 ? -1 : 0;
}

int begin_name_file(struct setup *setup, char **fields) {
  char path[32];
  (void)setup;
  int file = tree_parse_descriptor(fields[0]);
  if (file < 0)
    return -1;
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  unlinkat(AT_FDCWD, fields[1], 0);
  if (kernel_link(path, fields[1]) < 0)
    return failure_set("linkat", fields[1]);
  close(file);
  return 0;
}

/* Nothing that is settled before a container is made can be said here. */
static int check(const struct plan *plan) {
  for (size_t index = 0; index < plan->step_count; index++) {
    failure_begin(plan->steps[index].operation->name);
    if (plan->steps[index].operation->phase != PHASE_SUPERVISION)
      return failure_invalid("cannot be said when the program has begun");
  }
  return plan->arguments == NULL ? 0 : failure_invalid("exec");
}

int begin_container(struct supervision *state) {
  struct setup *setup = state->setup;
  struct plan plan;
  char *bytes;
  size_t length;
  failure_begin("begin-later");
  /* Its fields are pointed into from now on. */
  if (plan_read(setup->later, &bytes, &length) < 0 || plan_parse(bytes, length, &plan) < 0 || check(&plan) < 0 ||
      plan_perform(&plan, setup, PHASE_SUPERVISION) < 0)
    return -1;
  close(setup->later);
  setup->later = -1;
  listener_forget(setup);
  if (setup->log_path != NULL)
    output_tap(state);
  return control_begin_records(state);
}
