#include "command.h"

#include "failure.h"
#include "kernel.h"
#include "number.h"

#include <string.h>

static int add(struct words *words, char *word) {
  if (words->count == SETUP_WORDS)
    return failure_invalid("too many words");
  words->items[words->count++] = word;
  return 0;
}

int command_add_end(struct setup *setup, char **fields) {
  return add(&setup->end_command, fields[0]);
}

int command_add_beat(struct setup *setup, char **fields) {
  return add(&setup->beat_command, fields[0]);
}

int command_add_variable(struct setup *setup, char **fields) {
  return strchr(fields[0], '=') == NULL ? failure_invalid(fields[0]) : add(&setup->command_environment, fields[0]);
}

int command_set_interval(struct setup *setup, char **fields) {
  return number_parse(fields[0], 10, INT64_MAX / 2 / 1000000, &setup->beat_interval);
}

/* A program starts with no signal blocked or ignored, whatever this process has set. */
static void reset_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; number++)
    signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

pid_t command_start(const struct words *command, const struct words *environment) {
  if (command->count == 0)
    return -1;
  pid_t pid = fork();
  if (pid != 0)
    return pid;
  reset_signals();
  setsid();
  int nowhere = open("/dev/null", O_RDWR);
  for (int descriptor = 0; descriptor < 3; descriptor++)
    if (dup2(nowhere, descriptor) < 0)
      _exit(127);
  kernel_close_range(3, ~0U, 0);
  execve(command->items[0], (char *const *)command->items, (char *const *)environment->items);
  _exit(127);
}
