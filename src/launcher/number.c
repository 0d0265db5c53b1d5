#include "number.h"
#include "failure.h"

static int digit_of(char character) {
  if (character >= '0' && character <= '9')
    return character - '0';
  if (character >= 'a' && character <= 'f')
    return character - 'a' + 10;
  return 16;
}

int number_parse(const char *text, int base, uint64_t maximum, uint64_t *value) {
  uint64_t result = 0;
  if (*text == '\0')
    return failure_invalid(text);
  for (const char *at = text; *at != '\0'; at++) {
    int digit = digit_of(*at);
    if (digit >= base || __builtin_mul_overflow(result, (uint64_t)base, &result) ||
        __builtin_add_overflow(result, (uint64_t)digit, &result))
      return failure_invalid(text);
  }
  if (result > maximum)
    return failure_invalid(text);
  *value = result;
  return 0;
}

uint64_t number_take(const char **text) {
  uint64_t value = 0;
  for (; **text >= '0' && **text <= '9'; (*text)++)
    value = value * 10 + (uint64_t)(**text - '0');
  return value;
}

char *number_format(char text[21], uint64_t value) {
  char digits[20];
  int count = 0;
  do
    digits[count++] = (char)('0' + value % 10);
  while ((value /= 10) != 0);
  for (int index = 0; index < count; index++)
    text[index] = digits[count - 1 - index];
  text[count] = '\0';
  return text;
}
