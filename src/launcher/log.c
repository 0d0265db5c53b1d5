#include "log.h"

#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int log_set(struct setup *setup, char **fields) {
  uint64_t files;
  if (number_parse(fields[1], 10, INT64_MAX, &setup->log_bytes) < 0 || number_parse(fields[2], 10, 1000, &files) < 0)
    return -1;
  if (files == 0)
    return failure_invalid(fields[2]);
  setup->log_path = fields[0];
  setup->log_files = (unsigned)files;
  return 0;
}

static int open_file(struct log *log) {
  struct stat status;
  log->file = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (log->file < 0 || fstat(log->file, &status) < 0)
    return failure_set("open", log->path);
  log->size = (uint64_t)status.st_size;
  return 0;
}

int log_open(struct log *log, const struct setup *setup) {
  log->path = setup->log_path;
  log->limit = setup->log_bytes;
  log->files = setup->log_files;
  failure_begin("log");
  return log->path == NULL ? 0 : open_file(log);
}

/* PATH itself, or PATH.NUMBER. */
static char *name_of(const struct log *log, unsigned number) {
  size_t room = strlen(log->path) + 16;
  char *name = malloc(room);
  if (name == NULL)
    abort();
  if (number == 0)
    snprintf(name, room, "%s", log->path);
  else
    snprintf(name, room, "%s.%u", log->path, number);
  return name;
}

static void rotate(struct log *log) {
  if (log->files == 1) {
    if (ftruncate(log->file, 0) == 0)
      log->size = 0;
    return;
  }
  close(log->file);
  for (unsigned number = log->files - 1; number > 0; number--) {
    char *from = name_of(log, number - 1), *to = name_of(log, number);
    renameat(AT_FDCWD, from, AT_FDCWD, to);
    free(from);
    free(to);
  }
  open_file(log);
}

/* Somebody has removed the file, or emptied it: what comes next is to be found where it is looked for. */
static void find_again(struct log *log) {
  struct stat status;
  if (log->file >= 0 && fstat(log->file, &status) == 0 && status.st_nlink > 0) {
    log->size = (uint64_t)status.st_size;
    return;
  }
  if (log->file >= 0)
    close(log->file);
  open_file(log);
}

static void write_entry(struct log *log) {
  const struct event *entry = &log->entry;
  size_t written = 0;
  find_again(log);
  if (log->limit > 0 && log->size > 0 && log->size + entry->length > log->limit)
    rotate(log);
  while (log->file >= 0 && written < entry->length) {
    ssize_t count = write(log->file, entry->bytes + written, entry->length - written);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0) {
      /* Half a line would spoil the next one too. */
      if (written > 0)
        (void)!ftruncate(log->file, (off_t)log->size);
      return;
    }
    written += (size_t)count;
  }
  log->size += written;
}

static void write_line(struct log *log, int stream, const char *bytes, size_t length) {
  struct event *entry = &log->entry;
  entry->length = 0;
  event_raw(entry, "{", 1);
  event_utf8(entry, "log", bytes, length);
  event_string(entry, "stream", stream == 1 ? "stdout" : "stderr");
  event_time(entry, "time");
  event_end(entry);
  write_entry(log);
}

/* A line that is longer than a piece: what has come of a character goes with the rest of it. */
static void cut_line(struct log *log, int stream) {
  struct log_line *line = &log->lines[stream - 1];
  size_t piece = event_whole_characters(line->bytes, line->length);
  write_line(log, stream, line->bytes, piece);
  line->length -= piece;
  memmove(line->bytes, line->bytes + piece, line->length);
}

static void end_line(struct log *log, int stream) {
  struct log_line *line = &log->lines[stream - 1];
  if (line->length > 0)
    write_line(log, stream, line->bytes, line->length);
  line->length = 0;
}

void log_take(struct log *log, int stream, const char *bytes, size_t count) {
  struct log_line *line = &log->lines[stream - 1];
  if (log->path == NULL)
    return;
  while (count > 0) {
    const char *newline = memchr(bytes, '\n', count);
    size_t piece = newline == NULL ? count : (size_t)(newline - bytes) + 1;
    size_t room = sizeof line->bytes - line->length;
    if (piece > room) {
      piece = room;
      newline = NULL;
    }
    /* Most lines come whole, and need no place to wait in. */
    if (line->length == 0 && newline != NULL) {
      write_line(log, stream, bytes, piece);
    } else {
      memcpy(line->bytes + line->length, bytes, piece);
      line->length += piece;
      if (newline != NULL)
        end_line(log, stream);
      else if (line->length == sizeof line->bytes)
        cut_line(log, stream);
    }
    bytes += piece;
    count -= piece;
  }
}

void log_end(struct log *log) {
  if (log->path == NULL)
    return;
  end_line(log, 1);
  end_line(log, 2);
  free(log->entry.bytes);
  log->entry = (struct event){0};
}
