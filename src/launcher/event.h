/* Events as JSON, one a line: built in memory, then written or sent whole. */
#ifndef WOLFFIA_EVENT_H
#define WOLFFIA_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing text. Zeroed it is empty. Out of memory ends the process. */
struct event {
  char *bytes;
  size_t length, capacity;
};

/* `{"event":"NAME"`; event_end closes it. */
void event_begin(struct event *event, const char *name);
void event_end(struct event *event);

/* `,"KEY":VALUE` for each kind of value. */
void event_string(struct event *event, const char *key, const char *value);
void event_text(struct event *event, const char *key, const char *bytes, size_t length);
/* The same for bytes that may not be UTF-8: what is none becomes U+FFFD. */
void event_utf8(struct event *event, const char *key, const char *bytes, size_t length);

/* How many of the bytes are left when a character that has begun at their end and is not whole yet is left out. */
size_t event_whole_characters(const char *bytes, size_t length);
/* What time it is, as RFC 3339 with nanoseconds, in UTC. */
void event_time(struct event *event, const char *key);
void event_number(struct event *event, const char *key, int64_t value);
void event_bool(struct event *event, const char *key, bool value);
void event_null(struct event *event, const char *key);

/* `,"KEY":{` or `[` and its end; the commas of what follows take care of themselves. */
void event_open(struct event *event, const char *key, char bracket);
void event_close(struct event *event, char bracket);

/* Elements of an array. */
void event_number_element(struct event *event, int64_t value);
void event_string_element(struct event *event, const char *value);

/* The event of the current failure. */
void event_failed(struct event *event);

/* Where so many bytes more can be written; `length` is the writer's to add to. */
char *event_room(struct event *event, size_t length);

/* Text as it is, for what has been made elsewhere. */
void event_raw(struct event *event, const char *bytes, size_t length);

#endif
