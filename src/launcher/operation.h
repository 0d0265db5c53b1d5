/* The operations: one table, which `--operations` prints. */
#ifndef WOLFFIA_OPERATION_H
#define WOLFFIA_OPERATION_H

#include <stdint.h>

struct setup;

/* Where an operation is done. */
/* PHASE_SUPERVISION is the parent's too, and may be left for the command `begin`. */
enum phase { PHASE_PARENT, PHASE_SUPERVISION, PHASE_NETWORK, PHASE_CHILD, PHASE_GUEST };

struct operation {
  const char *name;
  unsigned fields;
  enum phase phase;
  /* The CLONE_NEW… flag without which it would reach the host's own; 0 when there is none. */
  uint64_t needs;
  /* 0, or -1 with the failure set. */
  int (*perform)(struct setup *setup, char **fields);
};

/* NULL when there is none of that name. */
const struct operation *operation_find(const char *name);

/* Name and number of fields of each, one a line, on stdout. */
int operation_print_all(void);

#endif
