// A thief: what every hostile program would like to do, small and harmless. See
// ../README.md.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Where to look and how far to go: the words `name=value` of the command line.
// A word that is missing leaves its attempt out.
struct errand {
  const char *home;
  const char *outside;
  const char *scratch;
  const char *secret;
  const char *hostname;
  long port;
  long forks;
  long memory_mib;
  long disk_mib;
};

enum outcome { GOT, STOPPED, REFUSED, SKIPPED };

// What an attempt came to: how much it got of how much it wanted, and by which
// way or with which error. Never what was read.
struct result {
  enum outcome outcome;
  long got;
  long wanted;
  char note[128];
};

// report.c: how a result is said.
void report_line(const char *attempt, int64_t duration_us, struct result result);

// Name of an error number, `ENOENT`.
const char *errno_name(int error);

__attribute__((format(printf, 4, 5))) struct result result_of(enum outcome outcome, long got, long wanted,
                                                              const char *format, ...);

// Opens `path` by every way there is: as it stands, above the root, through the
// first process's root, through a symlink, through inherited descriptors.
// Returns a descriptor and the way's name, or -1 with the errno of the plain
// way.
int reach_open(const struct errand *errand, const char *path, int flags, const char **way);

// steal.c: what can be read.
struct result steal_keys(const struct errand *errand);
struct result steal_environment(const struct errand *errand);
struct result steal_hostname(const struct errand *errand);
struct result steal_processes(const struct errand *errand);

// reach.c: what can be touched.
struct result reach_network(const struct errand *errand);
struct result reach_outside(const struct errand *errand);
struct result reach_kernel(const struct errand *errand);

// bomb.c: what can be used up.
struct result bomb_processes(const struct errand *errand);
struct result bomb_disk(const struct errand *errand);
struct result bomb_memory(const struct errand *errand);
