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

static int bind_at(int listener, const char *folder, const char *name, int backlog) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int place = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (place < 0)
    return failure_set("open", folder);
  /* By way of the folder: an address has room for some hundred bytes only. */
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", place, name);
  unlinkat(place, name, 0);
  mode_t mask = umask(0077);
  bool bound = listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
               listen(listener, backlog) == 0;
  umask(mask);
  if (!bound)
    return failure_set("bind", folder);
  close(place);
  return 0;
}

static int make_socket(void) {
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int listener_open(const char *folder, const char *name, int backlog) {
  int listener = make_socket();
  return bind_at(listener, folder, name, backlog) < 0 ? -1 : listener;
}

static bool is_name(const char *text) {
  size_t length = strlen(text);
  return length > 0 && length < 64 && strchr(text, '/') == NULL && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

/* The number that the socket is to have. 1 when it is there already, for the copy that goes on inside has inherited it.
 */
static int take_number(struct setup *setup, const char *text) {
  uint64_t number;
  if (number_parse(text, 10, 65535, &number) < 0)
    return -1;
  if (number < DESCRIPTOR_FIRST || setup->listener >= 0)
    return failure_invalid(text);
  setup->listener = (int)number;
  if (setup->resumed)
    return 1;
  /* Nobody's descriptor is replaced by it. */
  if (fcntl(setup->listener, F_GETFD) >= 0) {
    errno = EEXIST;
    return failure_set("dup2", text);
  }
  return 0;
}

static int give_as(int socket, int number, const char *text) {
  if (socket == number)
    return fcntl(socket, F_SETFD, 0) < 0 ? failure_set("fcntl", text) : 0;
  if (dup2(socket, number) < 0)
    return failure_set("dup2", text);
  close(socket);
  return 0;
}

int listener_give(struct setup *setup, char **fields) {
  if (!is_name(fields[1]))
    return failure_invalid(fields[1]);
  int there = take_number(setup, fields[2]);
  if (there != 0)
    return there < 0 ? -1 : 0;
  int listener = listener_open(fields[0], fields[1], BACKLOG);
  return listener < 0 ? -1 : give_as(listener, setup->listener, fields[2]);
}

int listener_give_unbound(struct setup *setup, char **fields) {
  int there = take_number(setup, fields[0]);
  setup->unbound = true;
  if (there != 0)
    return there < 0 ? -1 : 0;
  int listener = make_socket();
  return listener < 0 ? failure_set("socket", "") : give_as(listener, setup->listener, fields[0]);
}

int listener_bind_given(struct setup *setup, char **fields) {
  if (!setup->unbound || !is_name(fields[1]))
    return failure_invalid(fields[1]);
  setup->unbound = false;
  return bind_at(setup->listener, fields[0], fields[1], BACKLOG);
}

void listener_forget(struct setup *setup) {
  if (setup->listener < 0 || setup->unbound)
    return;
  close(setup->listener);
  setup->listener = -1;
}
