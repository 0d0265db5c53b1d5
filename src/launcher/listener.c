#include "listener.h"

#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Callers that may wait for a guest to answer. */
#define BACKLOG 64

int listener_open(const char *folder, const char *name, int backlog) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int place = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0)
    return failure_set("open", folder);
  /* By way of the folder: an address has room for some hundred bytes only. */
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", place, name);
  unlinkat(place, name, 0);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  mode_t mask = umask(0077);
  bool bound = listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
               listen(listener, backlog) == 0;
  umask(mask);
  if (!bound)
    return failure_set("bind", folder);
  close(place);
  return listener;
}

static bool is_name(const char *text) {
  size_t length = strlen(text);
  return length > 0 && length < 64 && strchr(text, '/') == NULL && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

int listener_give(struct setup *setup, char **fields) {
  uint64_t number;
  if (!is_name(fields[1]))
    return failure_invalid(fields[1]);
  if (number_parse(fields[2], 10, 65535, &number) < 0)
    return -1;
  if (number < DESCRIPTOR_FIRST || setup->listener >= 0)
    return failure_invalid(fields[2]);
  setup->listener = (int)number;
  /* The copy that goes on inside has inherited it. */
  if (setup->resumed)
    return 0;
  /* Nobody's descriptor is replaced by it. */
  if (fcntl(setup->listener, F_GETFD) >= 0) {
    errno = EEXIST;
    return failure_set("dup2", fields[2]);
  }
  int listener = listener_open(fields[0], fields[1], BACKLOG);
  if (listener < 0)
    return -1;
  if (listener == setup->listener)
    return fcntl(listener, F_SETFD, 0) < 0 ? failure_set("fcntl", fields[2]) : 0;
  if (dup2(listener, setup->listener) < 0)
    return failure_set("dup2", fields[2]);
  close(listener);
  return 0;
}

void listener_forget(const struct setup *setup) {
  if (setup->listener >= 0)
    close(setup->listener);
}
