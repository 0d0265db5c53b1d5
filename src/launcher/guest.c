#include "guest.h"

#include "channel.h"
#include "failure.h"
#include "init.h"
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

/* One that joined a container has been hidden from all in it until now, and with that from its own user, who looks at
 * it before it is let go. From here on it is like any guest: its filter is in force, its privileges are gone, and what
 * it has left is the channel, on which the parent believes it nothing more, and its own terminal. */
static int show_to_host(struct setup *setup) {
  const int spared[] = {setup->channel, setup->master};
  int highest = setup->proc;
  for (unsigned index = 0; index < 2; index++)
    if (spared[index] > highest)
      highest = spared[index];
  failure_begin("launch");
  /* Not sooner, since a new user takes it back: in a container that goes on, whoever started it has gone, and with him
   * the one who waits for it. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
    return failure_set("prctl", "PR_SET_PDEATHSIG");
  /* One by one, since a filter of the user's may not know close_range; limit_descriptors has left none above. */
  for (int descriptor = 3; descriptor <= highest; descriptor++)
    if (descriptor != setup->channel && descriptor != setup->master)
      close(descriptor);
  return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? failure_set("prctl", "PR_SET_DUMPABLE") : 0;
}

/* A plan without a filter has not collected it yet. */
static int send_receipt(int channel, struct setup *setup) {
  if (init_await(setup->begun) < 0)
    return -1;
  failure_begin("receipt");
  if ((setup->status < 0 && receipt_collect(setup, setup->receipt) < 0) ||
      receipt_add_status(setup, setup->receipt) < 0)
    return -1;
  if (setup->joined != 0 && show_to_host(setup) < 0)
    return -1;
  failure_begin("receipt");
  return channel_send_event(channel, setup->receipt, setup->master) < 0 ? failure_set("sendmsg", "") : 0;
}

/* Tells which errno it was, and no more: what is said from here on may be said by others (show_to_host). */
static _Noreturn void tell_refused(int channel, int error) {
  char bytes[1 + sizeof error] = {MESSAGE_REFUSED};
  struct event event = {.bytes = bytes, .length = sizeof bytes};
  memcpy(bytes + 1, &error, sizeof error);
  (void)channel_send_event(channel, &event, -1);
  _exit(125);
}

static int begin_session(void) {
  failure_begin("launch");
  return setsid() < 0 ? failure_set("setsid", "") : 0;
}

void guest_run(const struct handover *handover, const struct plan *plan, struct setup *setup) {
  int *const spared[] = {&setup->channel, &setup->proc, &setup->begun, &setup->master};
  unsigned spared_count = setup->master < 0 ? 3 : 4;
  struct event receipt = {0};
  char kind = MESSAGE_RECEIPT;
  event_raw(&receipt, &kind, 1);
  setup->receipt = &receipt;
  setup->channel = handover->channel;
  if (begin_session() < 0 || take_stdio(handover, setup) < 0 || limit_descriptors(setup, spared, spared_count) < 0 ||
      plan_perform(plan, setup, PHASE_GUEST) < 0 || send_receipt(setup->channel, setup) < 0)
    channel_fail(setup->channel);
  if (setup->master >= 0)
    close(setup->master);
  /* While the receipt is read. */
  reset_signals();
  if (channel_expect(setup->channel, MESSAGE_GO) < 0)
    _exit(125);
  execute(plan);
  tell_refused(setup->channel, errno);
}
