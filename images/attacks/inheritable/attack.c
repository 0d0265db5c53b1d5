#include "../attack.h"

int main(void) {
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  if (status == NULL)
    return NOT_HERE;
  while (fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, "CapInh:", 7) == 0)
      must_fail("CapInh", strtoull(line + 7, NULL, 16) == 0 ? -1 : 0);
  return held();
}
