#include "../attack.h"

#include <sys/ioctl.h>

int main(void) {
  char slave[64];
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlocked = 0, number = 0;
  if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
    return NOT_HERE;
  snprintf(slave, sizeof slave, "/dev/pts/%d", number);
  setsid();
  int terminal = open(slave, O_RDWR);
  if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) < 0)
    return NOT_HERE;
  must_fail("TIOCSTI", ioctl(terminal, TIOCSTI, "x"));
  return held();
}
