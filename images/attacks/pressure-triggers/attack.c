#include "../attack.h"

int main(void) {
  must_fail("/proc/pressure/cpu", open("/proc/pressure/cpu", O_WRONLY));
  return held();
}
