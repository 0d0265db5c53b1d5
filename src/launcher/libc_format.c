/* snprintf with %s, %.*s, %d, %u and %lu: what the launcher writes. Anything else ends the program. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

struct output {
  char *text;
  size_t room, length;
};

static void put(struct output *output, const char *bytes, size_t length) {
  if (output->length < output->room) {
    size_t fits = output->room - output->length;
    memcpy(output->text + output->length, bytes, length < fits ? length : fits);
  }
  output->length += length;
}

static void put_number(struct output *output, uint64_t value) {
  char digits[21];
  number_format(digits, value);
  put(output, digits, strlen(digits));
}

static void put_signed(struct output *output, int value) {
  if (value < 0)
    put(output, "-", 1);
  put_number(output, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static int format_into(char *text, size_t size, const char *format, va_list rest) {
  struct output output = {text, size == 0 ? 0 : size - 1, 0};
  while (*format != '\0') {
    size_t plain = strcspn(format, "%");
    put(&output, format, plain);
    format += plain;
    if (*format == '\0')
      break;
    size_t length = strspn(format + 1, ".*l") + 2;
    if (strncmp(format, "%s", length) == 0) {
      const char *string = va_arg(rest, const char *);
      put(&output, string, strlen(string));
    } else if (strncmp(format, "%.*s", length) == 0) {
      int wanted = va_arg(rest, int);
      put(&output, va_arg(rest, const char *), (size_t)wanted);
    } else if (strncmp(format, "%d", length) == 0) {
      put_signed(&output, va_arg(rest, int));
    } else if (strncmp(format, "%u", length) == 0) {
      put_number(&output, va_arg(rest, unsigned));
    } else if (strncmp(format, "%lu", length) == 0) {
      put_number(&output, va_arg(rest, unsigned long));
    } else {
      abort();
    }
    format += length;
  }
  if (size > 0)
    text[output.length < output.room ? output.length : output.room] = '\0';
  return (int)output.length;
}

/* In parentheses, because fortified headers have a macro of this name for clang. */
int(snprintf)(char *restrict text, size_t size, const char *restrict format, ...) {
  va_list rest;
  va_start(rest, format);
  int length = format_into(text, size, format, rest);
  va_end(rest);
  return length;
}

/* What _FORTIFY_SOURCE makes of it. */
int __snprintf_chk(char *restrict text, size_t size, int flag, size_t room, const char *restrict format, ...) {
  (void)flag;
  if (size > room)
    abort();
  va_list rest;
  va_start(rest, format);
  int length = format_into(text, size, format, rest);
  va_end(rest);
  return length;
}
