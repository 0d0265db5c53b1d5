#include "../attack.h"

int main(void) {
  char line[512];
  FILE *sockets = fopen("/proc/net/unix", "r");
  if (sockets == NULL)
    return held();
  while (fgets(line, sizeof line, sockets) != NULL)
    if (strchr(line, '@') != NULL)
      must_fail("an abstract socket of others is seen", 0);
  return held();
}
