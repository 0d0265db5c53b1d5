#include "callers.h"

#include "failure.h"
#include "kernel.h"
#include "listener.h"
#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Bytes that a caller may have to read before it is not listened to, and, attached, the guest is made to wait for it.
 */
#define BEHIND_BYTES 65536

int callers_set(struct setup *setup, char **fields) {
  setup->listen_folder = fields[0];
  return 0;
}

static void hold_spare(struct callers *callers) {
  if (callers->spare < 0)
    callers->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int callers_begin(struct callers *callers, const struct setup *setup) {
  if (setup->listen_folder == NULL)
    return 0;
  failure_begin("listen");
  callers->listener = listener_open(setup->listen_folder, "control", CALLERS_MAXIMUM);
  hold_spare(callers);
  return callers->listener < 0 ? -1 : 0;
}

static bool has_output(const struct caller *caller) {
  return caller->sent < caller->out.length;
}

static bool is_behind(const struct caller *caller) {
  return caller->out.length - caller->sent >= BEHIND_BYTES;
}

/* A caller whose bytes the guest's stdin has no room for is not listened to meanwhile, nor one that reads no answers.
 */
static bool is_stuck(const struct callers *callers, const struct caller *caller) {
  return (caller->start < caller->end && callers->input_full) || is_behind(caller);
}

unsigned callers_wait(const struct callers *callers, struct pollfd *watched) {
  unsigned filled = 0;
  watched[filled++] =
      (struct pollfd){.fd = callers->count < CALLERS_MAXIMUM ? callers->listener : -1, .events = POLLIN};
  watched[filled++] = (struct pollfd){.fd = callers->input_full ? callers->input : -1, .events = POLLOUT};
  for (unsigned index = 0; index < callers->count; index++) {
    const struct caller *caller = &callers->list[index];
    short wanted = (short)((is_stuck(callers, caller) ? 0 : POLLIN) | (has_output(caller) ? POLLOUT : 0));
    /* Not even its going is heard of before its bytes have been passed on. */
    watched[filled++] = (struct pollfd){.fd = wanted == 0 ? -1 : caller->socket, .events = wanted};
  }
  return filled;
}

static void leave(struct caller *caller) {
  close(caller->socket);
  free(caller->out.bytes);
  caller->socket = -1;
  caller->out = (struct event){0};
}

static void put_frame(struct caller *caller, enum caller_frame kind, const char *bytes, size_t count) {
  char header[8] = {(char)kind,         0, 0, 0, (char)(count >> 24), (char)(count >> 16), (char)(count >> 8),
                    (char)(count & 255)};
  if (caller->socket < 0)
    return;
  event_raw(&caller->out, header, sizeof header);
  event_raw(&caller->out, bytes, count);
}

static void send_out(struct caller *caller) {
  while (has_output(caller)) {
    ssize_t count = send(caller->socket, caller->out.bytes + caller->sent, caller->out.length - caller->sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0) {
      if (errno != EAGAIN)
        leave(caller);
      return;
    }
    caller->sent += (size_t)count;
  }
  /* Nothing is kept of what has been read: callers are many and mostly silent. */
  free(caller->out.bytes);
  caller->out = (struct event){0};
  caller->sent = 0;
}

void callers_end_input(struct callers *callers) {
  if (callers->input >= 0)
    close(callers->input);
  callers->input = -1;
  callers->input_full = false;
}

/* Hands on what has come for the guest's stdin. False while it has no room. */
static bool pass_on(struct callers *callers, struct caller *caller) {
  while (caller->start < caller->end && callers->input >= 0) {
    ssize_t count = write(callers->input, caller->bytes + caller->start, caller->end - caller->start);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0 && errno == EAGAIN) {
      callers->input_full = true;
      return false;
    }
    if (count < 0) {
      callers_end_input(callers);
      break;
    }
    caller->start += (size_t)count;
  }
  /* A guest that reads nothing any more is no matter of the caller's. */
  caller->start = caller->end = 0;
  return true;
}

static void carry_out(struct caller *caller, void (*obey)(void *, char *), void *context) {
  caller->bytes[caller->end] = '\0';
  if (strcmp(caller->bytes, "attach") == 0)
    caller->attached = true;
  obey(context, caller->bytes);
  put_frame(caller, FRAME_OBEYED, NULL, 0);
}

/* What a frame says once all of it, or for input a part of it, is there. False when nothing can go on now. */
static bool take_piece(struct callers *callers, struct caller *caller, void (*obey)(void *, char *), void *context) {
  char kind = (char)caller->header[0];
  if (kind == FRAME_INPUT) {
    if (!pass_on(callers, caller))
      return false;
  } else if (caller->left == 0 && kind == FRAME_COMMAND) {
    carry_out(caller, obey, context);
  } else if (caller->left == 0 && kind == FRAME_INPUT_END && callers->input_ends) {
    callers_end_input(callers);
  }
  if (caller->left > 0)
    return true;
  caller->header_length = caller->start = caller->end = 0;
  return true;
}

/* Reads what is missing of a header, or of what it has announced. 0 when nothing has come, -1 when nothing will. */
static int read_in(struct caller *caller) {
  bool in_header = caller->header_length < sizeof caller->header;
  char *to = in_header ? (char *)caller->header + caller->header_length : caller->bytes + caller->end;
  size_t room = in_header ? sizeof caller->header - caller->header_length : sizeof caller->bytes - 1 - caller->end;
  if (!in_header && room > caller->left)
    room = caller->left;
  /* A command longer than any of ours. */
  if (room == 0)
    return -1;
  ssize_t count = recv(caller->socket, to, room, MSG_DONTWAIT);
  if (count < 0)
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
  if (count == 0)
    return -1;
  if (!in_header) {
    caller->end += (size_t)count;
    caller->left -= (uint32_t)count;
  } else if ((caller->header_length += (size_t)count) == sizeof caller->header) {
    const unsigned char *length = caller->header + 4;
    caller->left = (uint32_t)length[0] << 24 | (uint32_t)length[1] << 16 | (uint32_t)length[2] << 8 | length[3];
  }
  return 1;
}

static void hear(struct callers *callers, struct caller *caller, void (*obey)(void *, char *), void *context) {
  if (caller->start < caller->end && caller->header[0] == FRAME_INPUT && !take_piece(callers, caller, obey, context))
    return;
  int result = read_in(caller);
  if (result < 0)
    leave(caller);
  else if (result > 0 && caller->header_length == sizeof caller->header)
    take_piece(callers, caller, obey, context);
}

/* Without a descriptor for whoever waits at the door he would be announced again and again: the spare one is for
 * turning him away. */
static void turn_away(struct callers *callers) {
  close(callers->spare);
  close(accept4(callers->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
  callers->spare = -1;
}

static void welcome(struct callers *callers) {
  int socket = accept4(callers->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (socket < 0) {
    if (errno == EMFILE || errno == ENFILE)
      turn_away(callers);
    hold_spare(callers);
    return;
  }
  /* The folder lets nobody else in; root may come. */
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || (peer.uid != 0 && peer.uid != geteuid())) {
    close(socket);
    return;
  }
  struct caller *caller = &callers->list[callers->count++];
  caller->socket = socket;
  caller->attached = false;
  caller->header_length = caller->start = caller->end = caller->sent = 0;
  caller->left = 0;
  caller->out = (struct event){0};
}

static void forget_those_gone(struct callers *callers) {
  unsigned kept = 0;
  for (unsigned index = 0; index < callers->count; index++) {
    if (callers->list[index].socket < 0)
      continue;
    if (kept != index)
      callers->list[kept] = callers->list[index];
    kept++;
  }
  callers->count = kept;
}

void callers_step(struct callers *callers, const struct pollfd *watched, void (*obey)(void *, char *), void *context) {
  const struct pollfd *first = watched + 2;
  if (watched[1].revents != 0)
    callers->input_full = false;
  for (unsigned index = 0; index < callers->count; index++) {
    struct caller *caller = &callers->list[index];
    bool may_go_on = watched[1].revents != 0 && caller->start < caller->end;
    if (caller->socket >= 0 && ((first[index].revents & ~POLLOUT) != 0 || may_go_on))
      hear(callers, caller, obey, context);
    if (caller->socket >= 0)
      send_out(caller);
  }
  forget_those_gone(callers);
  if (watched[0].revents != 0)
    welcome(callers);
}

void callers_output(struct callers *callers, int stream, const char *bytes, size_t count) {
  for (unsigned index = 0; index < callers->count; index++)
    if (callers->list[index].attached && callers->list[index].socket >= 0)
      put_frame(&callers->list[index], stream == 1 ? FRAME_STDOUT : FRAME_STDERR, bytes, count);
}

bool callers_are_behind(const struct callers *callers) {
  for (unsigned index = 0; index < callers->count; index++)
    if (callers->list[index].attached && is_behind(&callers->list[index]))
      return true;
  return false;
}

void callers_close(struct callers *callers) {
  if (callers->listener >= 0)
    close(callers->listener);
  callers->listener = -1;
}

void callers_tell(struct callers *callers, const struct event *event) {
  for (unsigned index = 0; index < callers->count; index++)
    put_frame(&callers->list[index], FRAME_EVENT, event->bytes, event->length);
}
