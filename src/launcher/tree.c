/* What the tree operations share: the words before them, and their descriptors. */
#include "tree.h"

#include "failure.h"
#include "kernel.h"
#include "make.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int tree_substitute(struct setup *setup, char **fields) {
  if (strcmp(fields[0], "owners") == 0)
    setup->substitute_owners = true;
  else if (strcmp(fields[0], "devices") == 0)
    setup->substitute_devices = true;
  else
    return failure_invalid(fields[0]);
  return 0;
}

int tree_parse_descriptor(const char *text) {
  uint64_t descriptor;
  if (number_parse(text, 10, 65535, &descriptor) < 0)
    return -1;
  if (descriptor < DESCRIPTOR_FIRST)
    return failure_invalid(text);
  return fcntl((int)descriptor, F_GETFD) < 0 ? failure_set("fcntl", text) : (int)descriptor;
}

static int copy_bytes(int from, int to, uint64_t left) {
  char piece[4096];
  while (left > 0) {
    ssize_t count = read(from, piece, left < sizeof piece ? (size_t)left : sizeof piece);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return (int)count;
    if (make_write_all(to, piece, (size_t)count) < 0)
      return -1;
    left -= (uint64_t)count;
  }
  return 0;
}

int tree_read_file(struct setup *setup, char **fields) {
  uint64_t bytes;
  struct stat status;
  int output = tree_parse_descriptor(fields[1]);
  if (output < 0 || number_parse(fields[2], 10, INT64_MAX, &bytes) < 0)
    return -1;
  /* What the guest has put there in place of a file must not be waited for. */
  int file = kernel_openat2(setup->root, fields[0], O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
                            RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (file < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : failure_set("openat2", fields[0]);
  if (fstat(file, &status) < 0 || (S_ISREG(status.st_mode) && copy_bytes(file, output, bytes) < 0))
    return failure_set("read", fields[0]);
  close(file);
  return 0;
}

int tree_make(struct setup *setup, char **fields) {
  (void)setup;
  return mkdirat(AT_FDCWD, fields[0], 0700) < 0 ? failure_set("mkdirat", fields[0]) : 0;
}

int tree_set_source(struct setup *setup, char **fields) {
  setup->tree_source = tree_parse_descriptor(fields[0]);
  return setup->tree_source < 0 ? -1 : 0;
}
