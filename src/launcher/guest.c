#include "guest.h"

#include "channel.h"
#include "failure.h"
#include "kernel.h"
#include "limit.h"
#include "receipt.h"
#include "setup.h"
#include "terminal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static int take_stdio(const struct handover *handover, struct setup *setup) {
  int ends[3] = {handover->stdio[0], handover->stdio[1], handover->stdio[2]};
  failure_begin("stdio");
  if (setup->stdio == STDIO_TERMINAL) {
    int terminal = terminal_control(setup);
    if (terminal < 0)
      return -1;
    ends[0] = ends[1] = ends[2] = terminal;
  }
  for (int descriptor = 0; descriptor < 3; descriptor++)
    if (dup2(ends[descriptor], descriptor) < 0)
      return failure_set("dup2", "");
  return 0;
}

/* A program starts with no signal blocked or ignored, whatever the launcher's caller had set. */
static void reset_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; number++)
    signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *find_path(char *const environment[]) {
  for (; *environment != NULL; environment++)
    if (strncmp(*environment, "PATH=", 5) == 0)
      return *environment + 5;
  return NULL;
}

/* execvpe(3) by its own PATH and without a shell for what the kernel can't execute. Returns with errno. */
static void execute(const struct plan *plan) {
  char *name = plan->arguments[0];
  char candidate[PATH_MAX];
  if (strchr(name, '/') != NULL) {
    execve(name, plan->arguments, plan->environment);
    return;
  }
  const char *path = *name == '\0' ? NULL : find_path(plan->environment);
  int error = ENOENT;
  while (path != NULL) {
    size_t length = strcspn(path, ":");
    /* An empty entry is the working directory (POSIX, environment variables). */
    int written = length == 0 ? snprintf(candidate, sizeof candidate, "./%s", name)
                              : snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, path, name);
    if (written < (int)sizeof candidate) {
      execve(candidate, plan->arguments, plan->environment);
      if (errno == EACCES)
        error = EACCES;
      else if (errno != ENOENT && errno != ENOTDIR)
        return;
    }
    path = path[length] == ':' ? path + length + 1 : NULL;
  }
  errno = error;
}

/* A plan without a filter has not collected it yet. */
static int send_receipt(int channel, struct setup *setup) {
  failure_begin("receipt");
  if ((setup->status < 0 && receipt_collect(setup, setup->receipt) < 0) ||
      receipt_add_status(setup, setup->receipt) < 0)
    return -1;
  return channel_send_event(channel, setup->receipt, setup->master) < 0 ? failure_set("sendmsg", "") : 0;
}

void guest_run(const struct handover *handover, const struct plan *plan, struct setup *setup) {
  int *const spared[] = {&setup->channel, &setup->proc, &setup->master};
  unsigned spared_count = setup->master < 0 ? 2 : 3;
  struct event receipt = {0};
  char kind = MESSAGE_RECEIPT;
  event_raw(&receipt, &kind, 1);
  setup->receipt = &receipt;
  setup->channel = handover->channel;
  failure_begin("launch");
  setsid();
  if (take_stdio(handover, setup) < 0 || limit_descriptors(setup, spared, spared_count) < 0 ||
      plan_perform(plan, setup, PHASE_GUEST) < 0 || send_receipt(setup->channel, setup) < 0)
    channel_fail(setup->channel);
  if (setup->master >= 0)
    close(setup->master);
  /* In a container that goes on: whoever started it has gone, and with him the one who waits for it. Not sooner, since
   * a new user takes it back. */
  if (setup->joined != 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
    failure_begin("launch");
    failure_set("prctl", "PR_SET_PDEATHSIG");
    channel_fail(setup->channel);
  }
  /* While the receipt is read. */
  reset_signals();
  if (channel_expect(setup->channel, MESSAGE_GO) < 0)
    _exit(125);
  execute(plan);
  failure_begin("exec");
  failure_set("execve", plan->arguments[0]);
  channel_fail(setup->channel);
}
