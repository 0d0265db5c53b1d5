#include "../attack.h"

#include <sys/personality.h>

int main(void) {
  must_fail("READ_IMPLIES_EXEC", personality(READ_IMPLIES_EXEC));
  return held();
}
