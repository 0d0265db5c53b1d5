// Appends a byte to a file that is there: `append FILE`. Opening is in the time, since that is when an overlay copies.
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

// A module that was not given the folder is told something else.
#ifndef ENOTCAPABLE
#define ENOTCAPABLE ENOENT
#endif

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  int64_t start_ns = now_ns();
  int descriptor = open(argv[1], O_WRONLY | O_APPEND);
  if (descriptor < 0 && (errno == ENOENT || errno == ENOTCAPABLE)) {
    puts("no layers: its files are those of one folder");
    return LACKING;
  }
  if (descriptor < 0 || write(descriptor, "", 1) != 1 || close(descriptor) != 0)
    return 1;
  return report_ns(start_ns);
}
