#include "../attack.h"

#include <sys/mount.h>

int main(void) {
  must_fail("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
  must_fail("remount", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
  must_fail("umount2", umount2("/proc", MNT_DETACH));
  must_fail("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  must_fail("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
  must_fail("pivot_root", syscall(SYS_pivot_root, "/", "/"));
  return held();
}
