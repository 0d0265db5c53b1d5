// What stands between a guest and whoever reads it: `talk exit`, `talk echo`,
// `talk out MIB`, `talk calls COUNT` and `talk wait`.
#include "clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024, BLOCKS_IN_MIB = 16, WAIT_SECONDS = 6 * 60 * 60 };

static char block[BLOCK_BYTES];

// A line, then back whatever comes, to the end of stdin.
static int echo(void) {
  if (write(1, "ready\n", 6) != 6)
    return 1;
  for (ssize_t length; (length = read(0, block, sizeof block)) > 0;)
    if (write(1, block, (size_t)length) != length)
      return 1;
  return 0;
}

// Until it is killed, and somebody knows that it has begun: longer than any run, since a machine ends with its first guest.
static int wait_long(void) {
  if (write(1, "ready\n", 6) != 6)
    return 1;
  return sleep(WAIT_SECONDS) != 0;
}

// Much at once; the time stands behind it.
static int out(long mib) {
  memset(block, '.', sizeof block);
  int64_t start_ns = now_ns();
  for (long i = 0; i < mib * BLOCKS_IN_MIB; i++)
    for (size_t done = 0; done < sizeof block;) {
      ssize_t length = write(1, block + done, sizeof block - done);
      if (length <= 0)
        return 1;
      done += (size_t)length;
    }
  printf("\n");
  return report_ns(start_ns);
}

// The cheapest question that a guest can ask its system, in both walls: the flags of a descriptor.
static int calls(long count) {
  int64_t start_ns = now_ns();
  for (long i = 0; i < count; i++)
    if (fcntl(0, F_GETFL) < 0)
      return 1;
  return report_ns(start_ns);
}

int main(int argc, char **argv) {
  long amount = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
  if (argc > 1 && strcmp(argv[1], "exit") == 0)
    return 0;
  if (argc > 1 && strcmp(argv[1], "echo") == 0)
    return echo();
  if (argc > 1 && strcmp(argv[1], "wait") == 0)
    return wait_long();
  if (argc > 1 && strcmp(argv[1], "out") == 0)
    return out(amount);
  if (argc > 1 && strcmp(argv[1], "calls") == 0)
    return calls(amount);
  return 2;
}
