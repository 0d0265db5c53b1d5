// Runs every attempt once, in order, and prints a line each: attempt, outcome,
// microseconds, got/wanted, note, parted by tabs.
#include "thief.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
  const char *name;
  struct result (*attempt)(const struct errand *errand);
} attempts[] = {
    {"keys", steal_keys},           {"environment", steal_environment}, {"hostname", steal_hostname},
    {"processes", steal_processes}, {"phone-home", reach_network},      {"write-outside", reach_outside},
    {"kernel", reach_kernel},       {"fork", bomb_processes},           {"disk", bomb_disk},
    {"memory", bomb_memory},
};

static const char *value_of(const char *word, const char *name) {
  size_t length = strlen(name);
  return strncmp(word, name, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static bool read_word(struct errand *errand, const char *word) {
  const struct {
    const char *name;
    const char **text;
    long *number;
  } words[] = {
      {"home", &errand->home, NULL},     {"outside", &errand->outside, NULL},   {"scratch", &errand->scratch, NULL},
      {"secret", &errand->secret, NULL}, {"hostname", &errand->hostname, NULL}, {"port", NULL, &errand->port},
      {"forks", NULL, &errand->forks},   {"memory", NULL, &errand->memory_mib}, {"disk", NULL, &errand->disk_mib},
  };
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    const char *value = value_of(word, words[i].name);
    if (value == NULL)
      continue;
    if (words[i].text != NULL) {
      *words[i].text = value;
      return value[0] != '\0';
    }
    char *end;
    *words[i].number = strtol(value, &end, 10);
    return value[0] != '\0' && *end == '\0' && *words[i].number > 0 && *words[i].number <= 65535;
  }
  return false;
}

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int main(int argc, char **argv) {
  struct errand errand = {0};
  for (int i = 1; i < argc; i++) {
    if (!read_word(&errand, argv[i])) {
      fprintf(stderr, "thief: not a word of mine: %s\n", argv[i]);
      return 2;
    }
  }
  // A line must be out before the next attempt, which may be the one that gets
  // the thief killed.
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("thief/1\tlinux\n");
  int loot = 0;
  for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
    int64_t start_us = now_us();
    struct result result = attempts[i].attempt(&errand);
    report_line(attempts[i].name, now_us() - start_us, result);
    if (result.outcome == GOT)
      loot++;
  }
  printf("end\t%d\n", loot);
  return loot > 0 ? 1 : 0;
}
