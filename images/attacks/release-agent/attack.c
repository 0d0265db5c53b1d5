#include "../attack.h"

#include <sched.h>
#include <sys/mount.h>

int main(void) {
  (void)unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP);
  must_fail("mount of a cgroup hierarchy", mount("none", "/tmp", "cgroup", 0, "rdma"));
  return held();
}
