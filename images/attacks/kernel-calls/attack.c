#include "../attack.h"

int main(void) {
  char attributes[128] = {0};
  must_fail("bpf", syscall(SYS_bpf, 0, attributes, sizeof attributes));
  must_fail("perf_event_open", syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0));
  must_fail("userfaultfd", syscall(SYS_userfaultfd, 1));
  must_fail("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
  must_fail("init_module", syscall(SYS_init_module, attributes, 0, ""));
  must_fail("syslog", syscall(SYS_syslog, 3, attributes, sizeof attributes));
  return held();
}
