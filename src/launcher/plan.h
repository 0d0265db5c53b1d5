/* A plan: NUL-terminated fields, read whole, split in place, performed phase by phase. */
#ifndef WOLFFIA_PLAN_H
#define WOLFFIA_PLAN_H

#include "operation.h"

#include <stddef.h>

struct step {
  const struct operation *operation;
  char **fields;
};

struct plan {
  struct step *steps;
  size_t step_count;
  /* NULL when the plan ends in `done`. */
  char **arguments, **environment;
};

/* All bytes of a descriptor, whether file, pipe or socket. 0, or -1 with the failure set. */
int plan_read(int descriptor, char **bytes, size_t *length);

/* Splits `bytes`, which the plan goes on pointing into. */
int plan_parse(char *bytes, size_t length, struct plan *plan);

/* Does the operations of one phase in order. */
int plan_perform(const struct plan *plan, struct setup *setup, enum phase phase);

/* Refuses a plan that would act on the host's own namespaces, or run a program that could not be killed whole. */
int plan_check(const struct plan *plan, const struct setup *setup);

#endif
