/* Numbers of a plan: digits only, in range, nothing after them. */
#ifndef WOLFFIA_NUMBER_H
#define WOLFFIA_NUMBER_H

#include <stdint.h>

/* Reads `text` in `base` (8, 10, 16). 0, or -1 with the failure set. */
int number_parse(const char *text, int base, uint64_t maximum, uint64_t *value);

/* The digits that `*text` begins with, 0 when there are none; `*text` moves behind them. */
uint64_t number_take(const char **text);

/* Writes `value` in decimal to `text` (21 bytes) and returns it. */
char *number_format(char text[21], uint64_t value);

#endif
