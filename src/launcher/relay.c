#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static mode_t type_of(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) < 0 ? 0 : status.st_mode & S_IFMT;
}

/* A terminal of the caller's may stop (^S) and a write to it would hang the launcher. Its flags are shared with the
 * caller, so it is opened once more for flags of our own; where that is refused, it stays as it is. */
static int own_description(int descriptor, mode_t type) {
  char path[32];
  if (type != S_IFCHR || (fcntl(descriptor, F_GETFL) & O_NONBLOCK) != 0)
    return descriptor;
  snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  int own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (own < 0)
    return descriptor;
  close(descriptor);
  return own;
}

void relay_begin(struct relay *relay, int from, int to, uint64_t *budget) {
  mode_t from_type = type_of(from), to_type = type_of(to);
  relay->from = from;
  relay->to = own_description(to, to_type);
  relay->way = from_type == S_IFIFO && to_type == S_IFIFO ? RELAY_SPLICE : RELAY_COPY;
  relay->from_socket = from_type == S_IFSOCK;
  relay->to_socket = to_type == S_IFSOCK;
  /* A pipe that is ready to be written takes PIPE_BUF bytes without waiting (pipe(7)); a file takes anything. */
  relay->step = to_type == S_IFIFO ? PIPE_BUF : RELAY_BYTES;
  relay->budget = budget;
  relay->remainder = SIZE_MAX;
}

void relay_tap(struct relay *relay, const struct tap *tap, int stream) {
  relay->way = RELAY_COPY;
  relay->tap = tap;
  relay->stream = stream;
}

void relay_abandon(struct relay *relay) {
  int nowhere = relay->ended ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0)
    return;
  close(relay->to);
  relay->to = nowhere;
  relay->way = RELAY_COPY;
  relay->to_socket = relay->full = false;
  relay->step = RELAY_BYTES;
}

struct pollfd relay_wait(const struct relay *relay) {
  if (relay->ended || (!relay->full && relay->tap != NULL && relay->tap->is_full(relay->tap->context)))
    return (struct pollfd){.fd = -1};
  return relay->full ? (struct pollfd){.fd = relay->to, .events = POLLOUT}
                     : (struct pollfd){.fd = relay->from, .events = POLLIN};
}

void relay_end(struct relay *relay) {
  if (relay->ended)
    return;
  close(relay->from);
  close(relay->to);
  relay->ended = true;
}

static size_t allowed(const struct relay *relay, size_t wanted) {
  if (wanted > relay->remainder)
    wanted = relay->remainder;
  return relay->budget == NULL || *relay->budget > wanted ? wanted : (size_t)*relay->budget;
}

static void spend(struct relay *relay, size_t bytes) {
  if (relay->budget != NULL)
    *relay->budget -= bytes;
  if (relay->remainder != SIZE_MAX)
    relay->remainder -= bytes;
}

/* Pages change hands and no byte is copied. EAGAIN does not say which side it was, so the sides are waited for in turn.
 */
static void step_splice(struct relay *relay) {
  ssize_t moved =
      splice(relay->from, NULL, relay->to, NULL, allowed(relay, RELAY_BYTES), SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  if (moved > 0) {
    spend(relay, (size_t)moved);
    relay->full = false;
  } else if (moved < 0 && errno == EAGAIN) {
    relay->full = !relay->full;
  } else if (moved < 0 && errno == EINVAL) {
    /* A pipe opened for appending, for one. */
    relay->way = RELAY_COPY;
    relay->full = false;
  } else if (!(moved < 0 && errno == EINTR)) {
    relay_end(relay);
  }
}

static void fill(struct relay *relay) {
  size_t wanted = allowed(relay, RELAY_BYTES);
  ssize_t count = relay->from_socket ? recv(relay->from, relay->buffer, wanted, MSG_DONTWAIT)
                                     : read(relay->from, relay->buffer, wanted);
  if (count > 0) {
    spend(relay, (size_t)count);
    relay->start = 0;
    relay->end = (size_t)count;
    if (relay->tap != NULL)
      relay->tap->take(relay->tap->context, relay->stream, relay->buffer, (size_t)count);
  } else if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  } else if (relay->farewell != 0) {
    /* EIO is the end of a terminal whose other side nobody holds any more; 0 the end of anything else. */
    relay->buffer[0] = relay->farewell;
    relay->farewell = 0;
    relay->start = 0;
    relay->end = 1;
  } else {
    relay_end(relay);
  }
}

static void empty(struct relay *relay) {
  size_t left = relay->end - relay->start, wanted = left < relay->step ? left : relay->step;
  const char *bytes = relay->buffer + relay->start;
  ssize_t count =
      relay->to_socket ? send(relay->to, bytes, wanted, MSG_DONTWAIT | MSG_NOSIGNAL) : write(relay->to, bytes, wanted);
  if (count >= 0) {
    relay->start += (size_t)count;
    /* More may not fit: ask before the next write. */
    relay->full = relay->start < relay->end;
  } else if (errno == EAGAIN) {
    relay->full = true;
  } else if (errno != EINTR) {
    relay_end(relay);
  }
}

/* Whether the budget is used up: then nothing more may pass, and what matters is whether there is more. */
static bool is_spent(struct relay *relay) {
  struct pollfd look = {.fd = relay->from, .events = POLLIN};
  if (relay->start != relay->end || relay->budget == NULL || *relay->budget != 0)
    return false;
  relay->over_budget = poll(&look, 1, 0) > 0 && (look.revents & POLLIN) != 0;
  if (relay->over_budget || (look.revents & (POLLHUP | POLLERR)) != 0)
    relay_end(relay);
  return true;
}

static void end_when_finished(struct relay *relay) {
  if (relay->remainder == 0 && relay->start == relay->end)
    relay_end(relay);
}

void relay_step(struct relay *relay) {
  if (relay->ended || is_spent(relay))
    return;
  if (relay->way == RELAY_SPLICE) {
    step_splice(relay);
  } else {
    if (relay->start == relay->end)
      fill(relay);
    if (!relay->ended && relay->start < relay->end)
      empty(relay);
  }
  end_when_finished(relay);
}

void relay_finish(struct relay *relay) {
  int waiting = 0;
  /* A terminal ends by itself when its session's leader is dead, or is given up after a while. */
  if (relay->ended || type_of(relay->from) != S_IFIFO || ioctl(relay->from, FIONREAD, &waiting) < 0)
    return;
  relay->remainder = (size_t)waiting;
  end_when_finished(relay);
}
