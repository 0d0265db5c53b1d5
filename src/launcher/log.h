/* The guest's output in a file, as docker's json-file driver writes it: a JSON object a line, with stream and time. */
#ifndef WOLFFIA_LOG_H
#define WOLFFIA_LOG_H

#include "event.h"

struct setup;

/* Output without a newline is written after so many bytes. */
#define LOG_LINE_BYTES 16384

struct log_line {
  char bytes[LOG_LINE_BYTES];
  size_t length;
};

/* Zeroed it writes nothing. */
struct log {
  const char *path; /* NULL for none */
  int file;
  uint64_t size, limit;
  unsigned files;
  struct log_line lines[2]; /* stdout's and stderr's, as far as they have come */
  struct event entry;
};

/* `log PATH BYTES FILES`: a file that would grow beyond BYTES becomes PATH.1, that one PATH.2, up to FILES in all. */
int log_set(struct setup *setup, char **fields);

/* Opens what the plan names, going on where an earlier run has ended. -1 with the failure set. */
int log_open(struct log *log, const struct setup *setup);

/* Output of the guest: `stream` is 1 or 2. What the disk has no room for is left out, each line whole. */
void log_take(struct log *log, int stream, const char *bytes, size_t count);

/* Nothing more is to come: writes lines that have no end. */
void log_end(struct log *log);

#endif
