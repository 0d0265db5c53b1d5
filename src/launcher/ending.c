#include "ending.h"

#include "failure.h"
#include "kernel.h"
#include "make.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

int ending_set_record(struct setup *setup, char **fields) {
  setup->end_record = fields[0];
  return 0;
}

int ending_set_journal(struct setup *setup, char **fields) {
  setup->journal = fields[0];
  setup->journal_word = fields[1];
  return 0;
}

int ending_begin(const struct setup *setup) {
  failure_begin("end-record");
  if (setup->end_record != NULL && unlinkat(AT_FDCWD, setup->end_record, 0) < 0 && errno != ENOENT)
    return failure_set("unlinkat", setup->end_record);
  return 0;
}

void ending_describe(const struct ending *ending, struct event *event) {
  bool signaled = WIFSIGNALED(ending->wait_status);
  event_begin(event, "exited");
  if (signaled) {
    event_null(event, "code");
    event_number(event, "signal", WTERMSIG(ending->wait_status));
  } else {
    event_number(event, "code", WEXITSTATUS(ending->wait_status));
    event_null(event, "signal");
  }
  event_string(event, "reason", ending->reason != NULL ? ending->reason : signaled ? "signaled" : "exited");
  event_number(event, "duration_ns", ending->duration_ns);
  event_time(event, "time");
  event_end(event);
}

/* Beside it first. What cannot be written is not known afterwards, and there is nobody to complain to. */
static void write_record(const char *path, const struct event *event) {
  size_t room = strlen(path) + 5;
  char *beside = malloc(room);
  if (beside == NULL)
    return;
  snprintf(beside, room, "%s.new", path);
  int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file >= 0 && make_write_all(file, event->bytes, event->length) == 0)
    renameat(AT_FDCWD, beside, AT_FDCWD, path);
  if (file >= 0)
    close(file);
  free(beside);
}

/* In one call, so that the lines of two containers do not mix. */
static void write_journal(const char *path, const char *word, const struct event *event) {
  struct event line = {0};
  int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0)
    return;
  event_raw(&line, word, strlen(word));
  event_raw(&line, " ", 1);
  event_raw(&line, event->bytes, event->length);
  (void)!write(file, line.bytes, line.length);
  close(file);
  free(line.bytes);
}

void ending_write(const struct setup *setup, const struct event *event) {
  if (setup->end_record != NULL)
    write_record(setup->end_record, event);
  if (setup->journal != NULL)
    write_journal(setup->journal, setup->journal_word, event);
}
