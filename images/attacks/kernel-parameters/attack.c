#include "../attack.h"

int main(void) {
  static const char *const paths[] = {"/proc/sys/kernel/core_pattern",  "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger",
                                      "/proc/sys/vm/overcommit_memory", "/proc/irq/default_smp_affinity",
                                      "/sys/kernel/uevent_helper",      "/sys/kernel/mm/ksm/run"};
  for (size_t index = 0; index < sizeof paths / sizeof *paths; index++)
    must_fail(paths[index], open(paths[index], O_WRONLY));
  return held();
}
