/* Which system calls a guest was refused, or made: told by the kernel (seccomp's user notification) to a process that
 * does nothing else. Whatever a guest does to that process, the parent is not the one who waits for it. */
#ifndef WOLFFIA_WATCH_H
#define WOLFFIA_WATCH_H

#include "event.h"

#include <sys/types.h>

struct plan;
struct setup;

/* The parent's end of a watcher; socket is -1 while there is none. */
struct watcher {
  int socket;
  pid_t process;
};

int watch_set(struct setup *setup, char **fields);

/* In the guest-to-be: loads the filter in force so that its refusals are told, or a second one that tells what the
 * first lets through, and sends the parent the descriptor they are told on. -1 with the failure set. */
int watch_load(struct setup *setup);

/* In the parent: starts the watcher over the descriptor, which is closed here. -1 with the failure set. */
int watch_begin(struct watcher *watcher, const struct plan *plan, struct setup *setup, int listener);

/* Once the guest is dead: ends the watcher and puts its report, an event, into `event`, which stays empty where it did
 * not answer in time. */
void watch_end(struct watcher *watcher, struct event *event);

#endif
