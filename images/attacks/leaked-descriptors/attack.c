#include "../attack.h"

int main(void) {
  for (int descriptor = 3; descriptor < 1024; descriptor++)
    must_fail("a descriptor beyond stderr", fcntl(descriptor, F_GETFD));
  return held();
}
