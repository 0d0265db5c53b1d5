/* Further callers, each on a connection of its own: they take part in a guest's stdio, give commands, hear of its end.
 *
 * Both sides send frames: a kind, three zeros, a length (32 bits, big-endian), then so many bytes. */
#ifndef WOLFFIA_CALLERS_H
#define WOLFFIA_CALLERS_H

#include "event.h"

#include <poll.h>

struct setup;

#define CALLERS_MAXIMUM 64
#define CALLER_BYTES    4096

enum caller_frame {
  FRAME_STDOUT = 1,   /* to the caller, once it is attached */
  FRAME_STDERR = 2,   /* likewise */
  FRAME_EVENT = 'E',  /* to the caller: an event */
  FRAME_OBEYED = 'A', /* to the caller: one of its commands has been carried out; no bytes */
  FRAME_COMMAND = 'c',
  FRAME_INPUT = 'i',     /* bytes for the guest's stdin */
  FRAME_INPUT_END = 'e', /* no more of it */
};

struct caller {
  int socket;
  bool attached;
  /* What comes in: a header, then what it announces. */
  unsigned char header[8];
  size_t header_length;
  uint32_t left;
  char bytes[CALLER_BYTES];
  size_t start, end;
  /* What goes out. */
  struct event out;
  size_t sent;
};

struct callers {
  int listener;
  int spare; /* a descriptor to give up when there is no other for who comes */
  int input; /* the guest's stdin, -1 when it has none or it was closed */
  bool input_full, input_ends;
  unsigned count;
  struct caller list[CALLERS_MAXIMUM];
};

/* `listen FOLDER`: a socket with the name `control` in a folder of the caller's own. */
int callers_set(struct setup *setup, char **fields);

/* Listens where the plan says. -1 with the failure set. */
int callers_begin(struct callers *callers, const struct setup *setup);

/* Fills in what to wait for, at most CALLERS_MAXIMUM + 2 entries, and returns how many. */
unsigned callers_wait(const struct callers *callers, struct pollfd *watched);

/* Takes what came and sends what can be sent. Commands go to `obey`. `watched` is what callers_wait filled in. */
void callers_step(struct callers *callers, const struct pollfd *watched, void (*obey)(void *, char *), void *context);

/* Output of the guest, for those that are attached. */
void callers_output(struct callers *callers, int stream, const char *bytes, size_t count);

/* Whether one of them has so much to read that the guest has to wait. */
bool callers_are_behind(const struct callers *callers);

/* An event for all of them. */
void callers_tell(struct callers *callers, const struct event *event);

/* Nobody more is let in: who comes now is too late. */
void callers_close(struct callers *callers);

/* Closes the guest's stdin. */
void callers_end_input(struct callers *callers);

#endif
