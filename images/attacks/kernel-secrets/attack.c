#include "../attack.h"

int main(void) {
  static const char *const paths[] = {"/proc/keys", "/proc/timer_list", "/proc/kmsg", "/proc/kcore", "/proc/sched_debug"};
  char byte, line[256];
  for (size_t index = 0; index < sizeof paths / sizeof *paths; index++) {
    int file = open(paths[index], O_RDONLY | O_NONBLOCK);
    if (file >= 0 && read(file, &byte, 1) == 1)
      must_fail(paths[index], 0);
  }
  FILE *symbols = fopen("/proc/kallsyms", "r");
  while (symbols != NULL && fgets(line, sizeof line, symbols) != NULL)
    if (strtoull(line, NULL, 16) != 0)
      must_fail("/proc/kallsyms", 0);
  return held();
}
