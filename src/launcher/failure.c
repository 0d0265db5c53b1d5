#include "failure.h"

#include <errno.h>

struct failure failure = {.operation = "launch"};

void failure_begin(const char *operation) {
  failure.operation = operation;
}

int failure_set(const char *call, const char *argument) {
  failure.error = errno;
  failure.call = call;
  failure.argument = argument;
  return -1;
}

int failure_invalid(const char *argument) {
  errno = EINVAL;
  return failure_set("plan", argument);
}
