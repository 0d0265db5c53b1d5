#include "terminal.h"

#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

int terminal_set_stdio(struct setup *setup, char **fields) {
  if (strcmp(fields[0], "pipes") == 0)
    setup->stdio = STDIO_PIPES;
  else if (strcmp(fields[0], "terminal") == 0)
    setup->stdio = STDIO_TERMINAL;
  else
    return failure_invalid(fields[0]);
  setup->stdin_kept = strcmp(fields[1], "kept") == 0;
  setup->stdin_open = setup->stdin_kept || strcmp(fields[1], "open") == 0;
  return setup->stdin_open || strcmp(fields[1], "closed") == 0 ? 0 : failure_invalid(fields[1]);
}

int terminal_set_size(struct setup *setup, char **fields) {
  uint64_t rows, columns;
  if (number_parse(fields[0], 10, UINT16_MAX, &rows) < 0 || number_parse(fields[1], 10, UINT16_MAX, &columns) < 0)
    return -1;
  setup->terminal_size = (struct winsize){.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};
  return 0;
}

int terminal_open(struct setup *setup, int devpts) {
  int unlocked = 0;
  setup->master = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (setup->master < 0)
    return failure_set("openat", "ptmx");
  if (ioctl(setup->master, TIOCSPTLCK, &unlocked) < 0 || ioctl(setup->master, TIOCSWINSZ, &setup->terminal_size) < 0)
    return failure_set("ioctl", "ptmx");
  return 0;
}

/* The devpts is the container's own, made by the plan of its start; a file system that only lies there is not it. */
int terminal_open_found(struct setup *setup, char **fields) {
  struct statfs status;
  int devpts = kernel_openat2(setup->root, fields[0], O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (devpts < 0)
    return failure_set("openat2", fields[0]);
  if (fstatfs(devpts, &status) < 0)
    return failure_set("fstatfs", fields[0]);
  if (status.f_type != DEVPTS_SUPER_MAGIC) {
    errno = ENODEV;
    return failure_set("fstatfs", fields[0]);
  }
  int result = terminal_open(setup, devpts);
  close(devpts);
  return result;
}

int terminal_open_guest_end(struct setup *setup) {
  if (setup->master < 0)
    return failure_invalid("a terminal needs mount-devpts before it");
  /* With O_CLOEXEC here the kernel would show it of every copy in fdinfo, whether closed at execve or not. */
  int terminal = ioctl(setup->master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  if (terminal < 0)
    return failure_set("ioctl", "TIOCGPTPEER");
  return fcntl(terminal, F_SETFD, FD_CLOEXEC) < 0 ? failure_set("fcntl", "TIOCGPTPEER") : terminal;
}

int terminal_control(struct setup *setup) {
  int terminal = terminal_open_guest_end(setup);
  if (terminal >= 0 && ioctl(terminal, TIOCSCTTY, 0) < 0)
    return failure_set("ioctl", "TIOCSCTTY");
  return terminal;
}
