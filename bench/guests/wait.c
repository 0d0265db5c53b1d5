// Waits for the end of its stdin: the least that a guest can do.
#include <stdio.h>

int main(void) {
  while (getchar() != EOF)
    continue;
  return 0;
}
