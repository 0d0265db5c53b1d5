#include "sysctl.h"

#include "failure.h"
#include "kernel.h"
#include "network.h"
#include "setup.h"

#include <stdio.h>
#include <string.h>

/* Through the container's own /proc, whose mount is no image's, below its sys and nowhere else: `..` and symlinks lead
 * nowhere. Which parameters those are is the kernel's to say: it shows each process those of its namespaces. */
int sysctl_set(struct setup *setup, char **fields) {
  size_t length = strlen(fields[1]);
  if (strncmp(fields[0], "net/", 4) == 0 && (setup->namespaces & CLONE_NEWNET) == 0)
    return failure_invalid("needs namespace net");
  if (network_join(setup) < 0)
    return -1;
  failure_begin("sysctl");
  if (setup->sysctl_count == SETUP_SYSCTLS)
    return failure_invalid("too many sysctls");
  int folder = kernel_openat2(setup->root, "/proc/sys", O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
  if (folder < 0)
    return failure_set("openat2", "/proc/sys");
  int parameter =
      kernel_openat2(folder, fields[0], O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
  if (parameter < 0)
    return failure_set("openat2", fields[0]);
  /* One write: the kernel takes the first for the whole value. */
  if (write(parameter, fields[1], length) != (ssize_t)length)
    return failure_set("write", fields[0]);
  close(parameter);
  close(folder);
  setup->sysctls[setup->sysctl_count++] = fields[0];
  return 0;
}
