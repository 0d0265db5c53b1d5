/* Strings and memory as ISO C has them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Keeps the compiler from seeing a loop as the very function that it stands in. */
#define OPAQUE() __asm__ volatile("" ::: "memory")

void *memcpy(void *restrict to, const void *restrict from, size_t length) {
  unsigned char *target = to;
  const unsigned char *source = from;
#if defined __x86_64__
  __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(length) : : "memory");
#else
  for (; length >= sizeof(unsigned long); length -= sizeof(unsigned long)) {
    __builtin_memcpy(target, source, sizeof(unsigned long));
    target += sizeof(unsigned long);
    source += sizeof(unsigned long);
    OPAQUE();
  }
  while (length-- > 0) {
    *target++ = *source++;
    OPAQUE();
  }
#endif
  return to;
}

void *memmove(void *to, const void *from, size_t length) {
  unsigned char *target = to;
  const unsigned char *source = from;
  if (target <= source || target >= source + length)
    return memcpy(to, from, length);
  while (length-- > 0) {
    target[length] = source[length];
    OPAQUE();
  }
  return to;
}

void *memset(void *to, int byte, size_t length) {
  unsigned char *target = to;
#if defined __x86_64__
  __asm__ volatile("rep stosb" : "+D"(target), "+c"(length) : "a"(byte) : "memory");
#else
  while (length-- > 0) {
    *target++ = (unsigned char)byte;
    OPAQUE();
  }
#endif
  return to;
}

int memcmp(const void *first, const void *second, size_t length) {
  const unsigned char *left = first, *right = second;
  for (; length > 0; left++, right++, length--)
    if (*left != *right)
      return *left - *right;
  return 0;
}

/* What clang makes of a memcmp whose sign nobody asks for. */
int bcmp(const void *first, const void *second, size_t length) {
  return memcmp(first, second, length);
}

void *memchr(const void *bytes, int byte, size_t length) {
  for (const unsigned char *at = bytes; length > 0; at++, length--)
    if (*at == (unsigned char)byte)
      return (void *)at;
  return NULL;
}

size_t strlen(const char *text) {
  const char *end = text;
  for (; *end != '\0'; end++)
    OPAQUE();
  return (size_t)(end - text);
}

int strncmp(const char *first, const char *second, size_t length) {
  for (; length > 0; first++, second++, length--) {
    if (*first != *second)
      return (unsigned char)*first - (unsigned char)*second;
    if (*first == '\0')
      return 0;
  }
  return 0;
}

int strcmp(const char *first, const char *second) {
  return strncmp(first, second, SIZE_MAX);
}

char *strchr(const char *text, int character) {
  for (;; text++) {
    if (*text == (char)character)
      return (char *)text;
    if (*text == '\0')
      return NULL;
  }
}

char *strrchr(const char *text, int character) {
  const char *found = NULL;
  for (;; text++) {
    if (*text == (char)character)
      found = text;
    if (*text == '\0')
      return (char *)found;
  }
}

size_t strcspn(const char *text, const char *stops) {
  size_t length = 0;
  while (text[length] != '\0' && strchr(stops, text[length]) == NULL)
    length++;
  return length;
}

size_t strspn(const char *text, const char *accepted) {
  size_t length = 0;
  while (text[length] != '\0' && strchr(accepted, text[length]) != NULL)
    length++;
  return length;
}

char *strsep(char **rest, const char *separators) {
  char *piece = *rest;
  if (piece == NULL)
    return NULL;
  char *end = piece + strcspn(piece, separators);
  *rest = *end == '\0' ? NULL : end + 1;
  *end = '\0';
  return piece;
}

char *stpcpy(char *restrict to, const char *restrict from) {
  size_t length = strlen(from);
  memcpy(to, from, length + 1);
  return to + length;
}

char *strcpy(char *restrict to, const char *restrict from) {
  return memcpy(to, from, strlen(from) + 1);
}

char *strdup(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = malloc(size);
  return copy == NULL ? NULL : memcpy(copy, text, size);
}

static void exchange(char *first, char *second, size_t size) {
  for (; size > 0; first++, second++, size--) {
    char kept = *first;
    *first = *second;
    *second = kept;
  }
}

/* Heapsort: no memory, no recursion, no worst case. */
void qsort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *)) {
  char *base = items;
  for (size_t start = count / 2, end = count; end > 1;) {
    if (start > 0)
      start--;
    else
      exchange(base, base + --end * size, size);
    for (size_t root = start, child; (child = 2 * root + 1) < end; root = child) {
      if (child + 1 < end && compare(base + child * size, base + (child + 1) * size) < 0)
        child++;
      if (compare(base + root * size, base + child * size) >= 0)
        break;
      exchange(base + root * size, base + child * size, size);
    }
  }
}

/* What _FORTIFY_SOURCE makes of them where the compiler knows how much room there is. */

static void check(size_t length, size_t room) {
  if (length > room)
    abort();
}

void *__memcpy_chk(void *restrict to, const void *restrict from, size_t length, size_t room) {
  check(length, room);
  return memcpy(to, from, length);
}

void *__memmove_chk(void *to, const void *from, size_t length, size_t room) {
  check(length, room);
  return memmove(to, from, length);
}

void *__memset_chk(void *to, int byte, size_t length, size_t room) {
  check(length, room);
  return memset(to, byte, length);
}

char *__stpcpy_chk(char *restrict to, const char *restrict from, size_t room) {
  check(strlen(from) + 1, room);
  return stpcpy(to, from);
}

char *__strcpy_chk(char *restrict to, const char *restrict from, size_t room) {
  check(strlen(from) + 1, room);
  return strcpy(to, from);
}
