#include "event.h"

#include "failure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A receipt mostly fits, and what is never written takes no memory. The allocator's own word comes before it. */
#define FIRST_BYTES (16384 - 64)

char *event_room(struct event *event, size_t length) {
  if (event->length + length > event->capacity) {
    size_t capacity = event->capacity == 0 ? FIRST_BYTES : event->capacity;
    while (capacity < event->length + length)
      capacity *= 2;
    event->bytes = realloc(event->bytes, capacity);
    if (event->bytes == NULL)
      abort();
    event->capacity = capacity;
  }
  return event->bytes + event->length;
}

void event_raw(struct event *event, const char *bytes, size_t length) {
  if (length == 0)
    return;
  memcpy(event_room(event, length), bytes, length);
  event->length += length;
}

static void put(struct event *event, const char *text) {
  event_raw(event, text, strlen(text));
}

static void put_quoted(struct event *event, const char *bytes, size_t length) {
  static const char hexadecimal[] = "0123456789abcdef";
  put(event, "\"");
  size_t plain = 0;
  for (size_t at = 0; at < length; at++) {
    unsigned char character = (unsigned char)bytes[at];
    if (character >= 0x20 && character != '"' && character != '\\')
      continue;
    event_raw(event, bytes + plain, at - plain);
    plain = at + 1;
    if (character == '\n') {
      put(event, "\\n");
    } else if (character == '\t') {
      put(event, "\\t");
    } else {
      char escape[] = {'\\', 'u', '0', '0', hexadecimal[character >> 4], hexadecimal[character & 15]};
      event_raw(event, escape, sizeof escape);
    }
  }
  event_raw(event, bytes + plain, length - plain);
  put(event, "\"");
}

/* A comma, unless this is the first thing inside a bracket. */
static void separate(struct event *event) {
  char last = event->length == 0 ? '{' : event->bytes[event->length - 1];
  if (last != '{' && last != '[')
    put(event, ",");
}

static void put_key(struct event *event, const char *key) {
  separate(event);
  put_quoted(event, key, strlen(key));
  put(event, ":");
}

static void put_number(struct event *event, int64_t value) {
  char digits[21];
  size_t at = sizeof digits;
  uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
  do
    digits[--at] = (char)('0' + rest % 10);
  while ((rest /= 10) != 0);
  if (value < 0)
    digits[--at] = '-';
  event_raw(event, digits + at, sizeof digits - at);
}

void event_begin(struct event *event, const char *name) {
  put(event, "{");
  event_string(event, "event", name);
}

void event_end(struct event *event) {
  put(event, "}\n");
}

void event_string(struct event *event, const char *key, const char *value) {
  event_text(event, key, value, strlen(value));
}

void event_text(struct event *event, const char *key, const char *bytes, size_t length) {
  put_key(event, key);
  put_quoted(event, bytes, length);
}

/* How many bytes a character takes by its first; 0 when none begins so (RFC 3629, 4). */
static size_t length_by_first(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

size_t event_whole_characters(const char *bytes, size_t length) {
  for (size_t back = 1; back < 4 && back <= length; back++) {
    unsigned char byte = (unsigned char)bytes[length - back];
    if ((byte & 0xc0) != 0x80)
      return length_by_first(byte) > back ? length - back : length;
  }
  return length;
}

/* How many bytes the character takes that `bytes` begins with; 0 when it is no UTF-8. */
static size_t character_length(const unsigned char *bytes, size_t length) {
  unsigned char first = bytes[0];
  size_t wanted = length_by_first(first);
  if (wanted == 0 || wanted > length)
    return 0;
  for (size_t at = 1; at < wanted; at++)
    if ((bytes[at] & 0xc0) != 0x80)
      return 0;
  /* Written longer than needed, surrogates, beyond U+10FFFF. */
  if ((first == 0xe0 && bytes[1] < 0xa0) || (first == 0xed && bytes[1] > 0x9f) || (first == 0xf0 && bytes[1] < 0x90) ||
      (first == 0xf4 && bytes[1] > 0x8f))
    return 0;
  return wanted;
}

void event_utf8(struct event *event, const char *key, const char *bytes, size_t length) {
  size_t valid = 0, at = 0;
  struct event clean = {0};
  while (at < length) {
    size_t character = character_length((const unsigned char *)bytes + at, length - at);
    at += character;
    if (character > 0)
      continue;
    event_raw(&clean, bytes + valid, at - valid);
    event_raw(&clean, "\xef\xbf\xbd", 3);
    valid = ++at;
  }
  if (valid == 0) {
    event_text(event, key, bytes, length);
    return;
  }
  event_raw(&clean, bytes + valid, length - valid);
  event_text(event, key, clean.bytes, clean.length);
  free(clean.bytes);
}

static char *put_digits(char *to, unsigned long value, int digits) {
  for (int at = digits - 1; at >= 0; at--, value /= 10)
    to[at] = (char)('0' + value % 10);
  return to + digits;
}

void event_time(struct event *event, const char *key) {
  struct timespec now;
  char text[40], *at = text;
  clock_gettime(CLOCK_REALTIME, &now);
  /* The civil calendar, in eras of 400 years that begin on March 1st. */
  unsigned long days = (unsigned long)(now.tv_sec / 86400) + 719468, seconds = (unsigned long)(now.tv_sec % 86400);
  unsigned long era = days / 146097, day = days % 146097;
  unsigned long year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  day -= 365 * year + year / 4 - year / 100;
  unsigned long month = (5 * day + 2) / 153;
  day -= (153 * month + 2) / 5;
  month = month < 10 ? month + 3 : month - 9;
  at = put_digits(at, era * 400 + year + (month <= 2), 4);
  *at++ = '-';
  at = put_digits(at, month, 2);
  *at++ = '-';
  at = put_digits(at, day + 1, 2);
  *at++ = 'T';
  at = put_digits(at, seconds / 3600, 2);
  *at++ = ':';
  at = put_digits(at, seconds / 60 % 60, 2);
  *at++ = ':';
  at = put_digits(at, seconds % 60, 2);
  *at++ = '.';
  at = put_digits(at, (unsigned long)now.tv_nsec, 9);
  *at++ = 'Z';
  event_text(event, key, text, (size_t)(at - text));
}

void event_number(struct event *event, const char *key, int64_t value) {
  put_key(event, key);
  put_number(event, value);
}

void event_bool(struct event *event, const char *key, bool value) {
  put_key(event, key);
  put(event, value ? "true" : "false");
}

void event_null(struct event *event, const char *key) {
  put_key(event, key);
  put(event, "null");
}

void event_open(struct event *event, const char *key, char bracket) {
  put_key(event, key);
  event_raw(event, &bracket, 1);
}

void event_close(struct event *event, char bracket) {
  event_raw(event, &bracket, 1);
}

void event_number_element(struct event *event, int64_t value) {
  separate(event);
  put_number(event, value);
}

void event_string_element(struct event *event, const char *value) {
  separate(event);
  put_quoted(event, value, strlen(value));
}

void event_failed(struct event *event) {
  event_begin(event, "failed");
  event_string(event, "operation", failure.operation);
  event_string(event, "call", failure.call == NULL ? "" : failure.call);
  event_string(event, "argument", failure.argument == NULL ? "" : failure.argument);
  event_number(event, "errno", failure.error);
  event_end(event);
}
