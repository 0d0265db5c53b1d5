/* The socket between the launcher's parent and its child: one message a packet, its kind the first byte. */
#ifndef WOLFFIA_CHANNEL_H
#define WOLFFIA_CHANNEL_H

#include "event.h"

enum message {
  MESSAGE_MAPPED = 'm', /* parent: your ids are mapped, go on */
  MESSAGE_GO = 'g',     /* parent: execute the program */
  MESSAGE_FAILED = 'F', /* child: a `failed` event */
  MESSAGE_RECEIPT =
      'R',            /* child: a `receipt` event without its closing brace; comes with the terminal's master, if any */
  MESSAGE_TREE = 'T', /* child: a tree to be given back, with the descriptor it goes to as text; comes with the tree */
  MESSAGE_NETWORK = 'N', /* the network's maker, to the child: comes with the namespace */
  MESSAGE_WATCH = 'W',   /* child: comes with the descriptor on which the kernel tells of system calls */
  MESSAGE_REFUSED = 'E', /* child: an errno, an int: the program could not be executed */
  MESSAGE_DONE = 'D',    /* child: all operations are done and there is no program */
};

/* Makes both ends; the parent's is closed by execve. -1 with the failure set. */
int channel_make(int *parent, int *child);

/* Waits for a message without contents. -1 with the failure set when it is another one, or the other side is gone. */
int channel_expect(int channel, enum message message);

/* The same for one that may come with a descriptor, which execve leaves open; 0 where none came. */
int channel_expect_with(int channel, enum message message, int *descriptor);

/* Sends a message: a kind alone, or an event whose first byte is the kind, with a descriptor unless that is -1. */
int channel_send(int channel, enum message message);
int channel_send_with(int channel, enum message message, int descriptor);
int channel_send_event(int channel, const struct event *event, int descriptor);

/* Lets the other side go on, which waits for this message. That it is gone is no error here: who waits for it sees
 * that. -1 with the failure set where it would wait for ever. */
int channel_release(int channel, enum message message, int descriptor);

/* Tells the parent of the current failure and ends this process. */
_Noreturn void channel_fail(int channel);

/* What channel_receive takes in. */
struct received {
  struct event event;
  /* 0 when the other side has closed. */
  char kind;
  int sender;     /* pid of the sender as this process counts */
  int descriptor; /* -1 when none came */
};

/* Takes one message without waiting. 1 for a message, 0 for none yet, -1 for an error. */
int channel_receive(int channel, struct received *received);

#endif
