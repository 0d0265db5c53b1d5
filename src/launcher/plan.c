#include "plan.h"

#include "failure.h"
#include "kernel.h"
#include "network.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Arguments and environment of a program can't be longer than this together (execve, MAX_ARG_STRINGS aside). */
#define PLAN_BYTES_MAXIMUM (16u * 1024 * 1024)

int plan_read(int descriptor, char **bytes, size_t *length) {
  size_t capacity = 16384, used = 0;
  char *buffer = malloc(capacity);
  while (buffer != NULL) {
    ssize_t count = read(descriptor, buffer + used, capacity - used);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return failure_set("read", "plan");
    if (count == 0) {
      *bytes = buffer;
      *length = used;
      return 0;
    }
    used += (size_t)count;
    if (used == capacity) {
      if (capacity >= PLAN_BYTES_MAXIMUM) {
        errno = E2BIG;
        return failure_set("read", "plan");
      }
      capacity *= 2;
      buffer = realloc(buffer, capacity);
    }
  }
  return failure_set("malloc", "plan");
}

/* The fields of a plan as a NULL-free list with a cursor. */
struct cursor {
  char **fields;
  size_t count, at;
};

static char *next(struct cursor *cursor) {
  return cursor->at < cursor->count ? cursor->fields[cursor->at++] : NULL;
}

static int split(char *bytes, size_t length, struct cursor *cursor) {
  if (length == 0 || bytes[length - 1] != '\0')
    return failure_invalid("the plan does not end with NUL");
  size_t count = 0;
  for (size_t at = 0; at < length; at++)
    count += bytes[at] == '\0';
  cursor->fields = malloc(count * sizeof *cursor->fields);
  if (cursor->fields == NULL)
    return failure_set("malloc", "plan");
  for (char *at = bytes; at < bytes + length; at += strlen(at) + 1)
    cursor->fields[cursor->count++] = at;
  return 0;
}

/* `COUNT FIELD…` as a vector that ends in NULL. */
static int take_vector(struct cursor *cursor, char ***vector, size_t minimum) {
  char *text = next(cursor);
  uint64_t count;
  if (text == NULL)
    return failure_invalid("exec");
  if (number_parse(text, 10, cursor->count - cursor->at, &count) < 0)
    return -1;
  if (count < minimum)
    return failure_invalid("exec without a program");
  *vector = malloc((count + 1) * sizeof **vector);
  if (*vector == NULL)
    return failure_set("malloc", "plan");
  memcpy(*vector, cursor->fields + cursor->at, count * sizeof **vector);
  (*vector)[count] = NULL;
  cursor->at += count;
  return 0;
}

static int parse_end(struct cursor *cursor, const char *name, struct plan *plan) {
  if (strcmp(name, "exec") == 0 &&
      (take_vector(cursor, &plan->arguments, 1) < 0 || take_vector(cursor, &plan->environment, 0) < 0))
    return -1;
  if (cursor->at != cursor->count)
    return failure_invalid(cursor->fields[cursor->at]);
  return 0;
}

int plan_parse(char *bytes, size_t length, struct plan *plan) {
  struct cursor cursor = {0};
  failure_begin("plan");
  *plan = (struct plan){0};
  if (split(bytes, length, &cursor) < 0)
    return -1;
  plan->steps = malloc(cursor.count * sizeof *plan->steps);
  if (plan->steps == NULL)
    return failure_set("malloc", "plan");
  for (char *name; (name = next(&cursor)) != NULL;) {
    if (strcmp(name, "exec") == 0 || strcmp(name, "done") == 0)
      return parse_end(&cursor, name, plan);
    const struct operation *operation = operation_find(name);
    if (operation == NULL || cursor.count - cursor.at < operation->fields)
      return failure_invalid(name);
    plan->steps[plan->step_count++] = (struct step){operation, cursor.fields + cursor.at};
    cursor.at += operation->fields;
  }
  return failure_invalid("the plan has no end");
}

int plan_perform(const struct plan *plan, struct setup *setup, enum phase phase) {
  for (size_t index = 0; index < plan->step_count; index++) {
    const struct step *step = &plan->steps[index];
    if (step->operation->phase != phase)
      continue;
    if (phase == PHASE_CHILD && (step->operation->needs & CLONE_NEWNET) != 0 && network_join(setup) < 0)
      return -1;
    failure_begin(step->operation->name);
    if (step->operation->perform(setup, step->fields) < 0)
      return -1;
  }
  return 0;
}

int plan_check(const struct plan *plan, const struct setup *setup) {
  for (size_t index = 0; index < plan->step_count; index++) {
    const struct operation *operation = plan->steps[index].operation;
    failure_begin(operation->name);
    if ((setup->namespaces & operation->needs) != operation->needs)
      return failure_invalid("needs a namespace of its own");
    if (operation->phase == PHASE_GUEST && plan->arguments == NULL)
      return failure_invalid("needs a program");
  }
  if (plan->arguments == NULL)
    return 0;
  failure_begin("exec");
  if ((setup->namespaces & CLONE_NEWPID) == 0)
    return failure_invalid("needs namespace pid");
  if (setup->stdio == STDIO_NONE)
    return failure_invalid("needs stdio");
  return 0;
}
