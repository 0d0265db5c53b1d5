#include "network.h"

#include "channel.h"
#include "failure.h"
#include "kernel.h"
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* linux/if_tun.h, which not every libc comes with. */
#define TUN_SET_INTERFACE _IOW('T', 202, int)
#define TUN_TAP           0x0002

/* Of the maker of the namespace, whose calls go a few deep and hold little. */
#define MAKER_STACK_BYTES 32768

int network_raise_loopback(struct setup *setup, char **fields) {
  (void)setup;
  (void)fields;
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0)
    return failure_set("socket", "lo");
  if (ioctl(descriptor, SIOCSIFFLAGS, &request) < 0)
    return failure_set("ioctl", "lo");
  close(descriptor);
  return 0;
}

int network_exercise_tap(struct setup *setup, char **fields) {
  (void)setup;
  struct ifreq request = {.ifr_flags = TUN_TAP};
  int device = open(fields[0], O_RDWR | O_CLOEXEC);
  if (device < 0)
    return failure_set("open", fields[0]);
  if (ioctl(device, TUN_SET_INTERFACE, &request) < 0)
    return failure_set("ioctl", fields[0]);
  /* And with it the interface. */
  close(device);
  return 0;
}

/* Who makes the namespace, and what for. */
struct maker {
  const struct plan *plan;
  struct setup *setup;
  int proc, channel, parents_channel;
};

/* 0, or -1 with the failure set: the descriptor is sent. */
static int make(const struct maker *maker) {
  struct event event = {0};
  char kind = MESSAGE_NETWORK;
  if (channel_expect(maker->channel, MESSAGE_MAPPED) < 0)
    return -1;
  int result = kernel_unshare(CLONE_NEWNET);
  /* Not sooner: the record of a failure may be the child's too, until that executes itself again. */
  failure_begin("namespace");
  if (result < 0)
    return failure_set("unshare", "net");
  int own = openat(maker->proc, "self/ns/net", O_RDONLY | O_CLOEXEC);
  if (own < 0)
    return failure_set("openat", "ns/net");
  if (plan_perform(maker->plan, maker->setup, PHASE_NETWORK) < 0)
    return -1;
  event_raw(&event, &kind, 1);
  return channel_send_event(maker->channel, &event, own) < 0 ? failure_set("sendmsg", "") : 0;
}

static int run_maker(void *argument) {
  const struct maker *maker = argument;
  close(maker->parents_channel);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || make(maker) < 0)
    channel_fail(maker->channel);
  _exit(0);
}

/* A child that will execute itself again shares its memory with the maker until then: nothing is copied, and what is
 * left behind is taken down by the maker's end. They do not meet there: the maker waits for MESSAGE_MAPPED, and the
 * child does nothing after it but execute. */
static pid_t start_maker(struct maker *maker, bool executes) {
  static _Alignas(16) char stack[MAKER_STACK_BYTES];
  if (executes)
    return clone(run_maker, stack + sizeof stack, CLONE_VM | SIGCHLD, maker);
  pid_t process = fork();
  if (process == 0)
    run_maker(maker);
  return process;
}

int network_begin(const struct plan *plan, struct setup *setup, bool executes) {
  /* It outlasts this call. */
  static struct maker maker;
  int ours, theirs;
  if ((setup->namespaces & CLONE_NEWNET) == 0 || setup->joined != 0)
    return 0;
  failure_begin("namespace");
  if (channel_make(&ours, &theirs) < 0)
    return -1;
  if (fcntl(ours, F_SETFD, 0) < 0)
    return failure_set("fcntl", "net");
  /* The child will cover it. */
  int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0)
    return failure_set("open", "/proc");
  maker = (struct maker){plan, setup, proc, theirs, ours};
  if (start_maker(&maker, executes) < 0)
    return failure_set("fork", "net");
  close(theirs);
  close(proc);
  return ours;
}

int network_go_on(const struct setup *setup) {
  failure_begin("namespace");
  return setup->network > 0 ? channel_release(setup->network, MESSAGE_MAPPED, -1) : 0;
}

/* What the maker of the namespace could not do is what this process could not do. */
static _Noreturn void pass_on(const struct received *received, int channel) {
  struct event event = {0};
  char kind = MESSAGE_FAILED;
  event_raw(&event, &kind, 1);
  event_raw(&event, received->event.bytes, received->event.length);
  (void)channel_send_event(channel, &event, -1);
  _exit(125);
}

int network_join(struct setup *setup) {
  struct received received;
  struct pollfd ready = {.fd = setup->network, .events = POLLIN};
  if (setup->network <= 0)
    return 0;
  failure_begin("namespace");
  while (poll(&ready, 1, -1) < 0)
    if (errno != EINTR)
      return failure_set("poll", "net");
  if (channel_receive(setup->network, &received) < 0)
    return failure_set("recvmsg", "net");
  if (received.kind == MESSAGE_FAILED)
    pass_on(&received, setup->channel);
  if (received.kind != MESSAGE_NETWORK || received.descriptor < 0) {
    errno = EPIPE;
    return failure_set("recvmsg", "net");
  }
  if (kernel_setns(received.descriptor, CLONE_NEWNET) < 0)
    return failure_set("setns", "net");
  close(received.descriptor);
  close(setup->network);
  setup->network = 0;
  /* The only child there is so far. */
  while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
    ;
  return 0;
}
