#include "channel.h"

#include "failure.h"
#include "kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int channel_make(int *parent, int *child) {
  int ends[2], on = 1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
    return failure_set("socketpair", "");
  /* The parent learns the guest's pid from the credentials that come with its receipt. */
  if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) < 0)
    return failure_set("setsockopt", "");
  *parent = ends[0];
  *child = ends[1];
  return 0;
}

static int check_kind(ssize_t length, char kind, enum message message) {
  if (length == 1 && kind == (char)message)
    return 0;
  if (length >= 0)
    errno = EPROTO;
  return failure_set("recvmsg", "");
}

int channel_expect(int channel, enum message message) {
  char kind;
  ssize_t length;
  do
    length = recv(channel, &kind, 1, 0);
  while (length < 0 && errno == EINTR);
  return check_kind(length, kind, message);
}

int channel_expect_with(int channel, enum message message, int *descriptor) {
  char kind;
  ssize_t length;
  struct iovec bytes = {&kind, 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
  } control;
  struct msghdr received;
  do {
    received =
        (struct msghdr){.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    length = recvmsg(channel, &received, 0);
  } while (length < 0 && errno == EINTR);
  *descriptor = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&received); length == 1 && header != NULL;
       header = CMSG_NXTHDR(&received, header))
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
      memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
  return check_kind(length, kind, message);
}

int channel_send_with(int channel, enum message message, int descriptor) {
  char kind = (char)message;
  struct event event = {.bytes = &kind, .length = 1};
  return channel_send_event(channel, &event, descriptor > 0 ? descriptor : -1);
}

int channel_send(int channel, enum message message) {
  char kind = (char)message;
  return send(channel, &kind, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int channel_send_event(int channel, const struct event *event, int descriptor) {
  struct iovec bytes = {event->bytes, event->length};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  if (descriptor >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
  }
  return sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)event->length ? 0 : -1;
}

int channel_release(int channel, enum message message, int descriptor) {
  if (channel_send_with(channel, message, descriptor) == 0 || errno == EPIPE || errno == ECONNRESET)
    return 0;
  return failure_set("sendmsg", "");
}

void channel_fail(int channel) {
  struct event event = {0};
  char kind = MESSAGE_FAILED;
  event_raw(&event, &kind, 1);
  event_failed(&event);
  (void)channel_send_event(channel, &event, -1);
  _exit(125);
}

static void take_control(struct msghdr *message, struct received *received) {
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET)
      continue;
    if (header->cmsg_type == SCM_CREDENTIALS) {
      struct ucred sender;
      memcpy(&sender, CMSG_DATA(header), sizeof sender);
      received->sender = sender.pid;
    } else if (header->cmsg_type == SCM_RIGHTS) {
      memcpy(&received->descriptor, CMSG_DATA(header), sizeof received->descriptor);
    }
  }
}

/* recvmsg(2), or recv(2) of nothing. Where the other side has gone without taking all that it was told, that is said
 * once, at any moment, and before what it has said itself. */
static ssize_t take(int channel, struct msghdr *message, int flags) {
  ssize_t length;
  flags |= MSG_DONTWAIT;
  do
    length = message == NULL ? recv(channel, NULL, 0, flags) : recvmsg(channel, message, flags);
  while (length < 0 && errno == ECONNRESET);
  return length;
}

int channel_receive(int channel, struct received *received) {
  *received = (struct received){.descriptor = -1};
  ssize_t length = take(channel, NULL, MSG_PEEK | MSG_TRUNC);
  if (length < 0)
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
  if (length == 0)
    return 1;
  /* With room for what the parent adds to a receipt. */
  size_t room = (size_t)length + 256;
  char *bytes = malloc(room);
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
  } control;
  struct iovec vector = {bytes, (size_t)length};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (bytes == NULL || take(channel, &message, MSG_CMSG_CLOEXEC) != length) {
    free(bytes);
    return -1;
  }
  take_control(&message, received);
  received->kind = bytes[0];
  memmove(bytes, bytes + 1, (size_t)length - 1);
  received->event = (struct event){.bytes = bytes, .length = (size_t)length - 1, .capacity = room};
  return 1;
}
