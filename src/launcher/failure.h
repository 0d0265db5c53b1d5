/* What failed, as it is reported: operation, system call, argument, errno. There is one failure at a time: it ends the
 * run. */
#ifndef WOLFFIA_FAILURE_H
#define WOLFFIA_FAILURE_H

struct failure {
  const char *operation;
  const char *call;
  const char *argument;
  int error;
};

extern struct failure failure;

/* Names the operation whose failures follow. */
void failure_begin(const char *operation);

/* Records errno with the call and what it was about; always -1, so that callers can return it. The texts must stay. */
int failure_set(const char *call, const char *argument);

/* The same for a value of the plan that can't be what it is. */
int failure_invalid(const char *argument);

#endif
