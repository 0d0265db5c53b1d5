/* What the tree operations share: the words before them, and their descriptors. */
#include "tree.h"

#include "failure.h"
#include "number.h"
#include "setup.h"

#include <fcntl.h>
#include <string.h>

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

int tree_set_source(struct setup *setup, char **fields) {
  setup->tree_source = tree_parse_descriptor(fields[0]);
  return setup->tree_source < 0 ? -1 : 0;
}
