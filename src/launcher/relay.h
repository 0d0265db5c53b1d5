/* One direction of stdio: bytes from one descriptor to another, without ever waiting. */
#ifndef WOLFFIA_RELAY_H
#define WOLFFIA_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_BYTES 65536

enum relay_way { RELAY_SPLICE, RELAY_COPY };

/* Who sees what passes. */
struct tap {
  void (*take)(void *context, int stream, const char *bytes, size_t count);
  /* Whether nothing more may come for now. */
  bool (*is_full)(void *context);
  void *context;
};

struct relay {
  int from, to;
  enum relay_way way;
  bool from_socket, to_socket;
  /* `to` is written to only when the other side can take it: a pipe or terminal of someone else's may block. */
  size_t step;
  /* Waiting for room in `to` rather than for bytes in `from`. */
  bool full;
  bool ended;
  /* Bytes that may still pass, shared among relays; NULL without a limit. */
  uint64_t *budget;
  /* Something was left when the budget was used up. */
  bool over_budget;
  /* Bytes that are still to come from a `from` that nobody of the container writes to any more; SIZE_MAX while it
   * lives. */
  size_t remainder;
  /* Written once when `from` is at its end; 0 for nothing. A terminal has no end of file but this character. */
  char farewell;
  char *buffer; /* of RELAY_BYTES */
  size_t start, end;
  const struct tap *tap; /* NULL for none */
  int stream;            /* what the tap is told it is */
};

/* From `from` to `to`, which are the relay's from now on. */
void relay_begin(struct relay *relay, int from, int to, uint64_t *budget);

/* Everything that passes from now on is seen by `tap` too. */
void relay_tap(struct relay *relay, const struct tap *tap, int stream);

/* Nobody takes what comes out any more: it goes on passing, to nowhere. */
void relay_abandon(struct relay *relay);

/* What to wait for; revents of it goes to relay_step. */
struct pollfd relay_wait(const struct relay *relay);

/* Moves what can be moved. At the end both descriptors are closed and `ended` is set. */
void relay_step(struct relay *relay);

/* Everybody of the container is dead: passes on what is in the pipe and then ends, whoever else may hold the other end
 * of it (a guest can send its stdout to another container). */
void relay_finish(struct relay *relay);

/* Ends it whatever is left. */
void relay_end(struct relay *relay);

#endif
