#include "../attack.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

int main(void) {
  must_fail("mknod of memory", mknod("/tmp/attack-memory", S_IFCHR | 0600, makedev(1, 1)));
  must_fail("mknod of a disk", mknod("/tmp/attack-disk", S_IFBLK | 0600, makedev(8, 0)));
  must_fail("/dev/mem", open("/dev/mem", O_RDONLY));
  return held();
}
