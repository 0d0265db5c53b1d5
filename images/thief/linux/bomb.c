// Attempts that use up: processes, disk, memory. Each has a bound and gives
// everything back.
#include "thief.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

struct result bomb_processes(const struct errand *errand) {
  if (errand->forks == 0)
    return result_of(SKIPPED, 0, 0, "no forks=");
  pid_t *children = calloc((size_t)errand->forks, sizeof *children);
  long alive = 0;
  int error = 0;
  while (children != NULL && alive < errand->forks) {
    pid_t child = fork();
    if (child == 0) {
      // Ends by itself should the thief be killed first.
      alarm(5);
      pause();
      _exit(0);
    }
    if (child < 0) {
      error = errno;
      break;
    }
    children[alive++] = child;
  }
  for (long i = 0; i < alive; i++)
    kill(children[i], SIGKILL);
  for (long i = 0; i < alive; i++)
    waitpid(children[i], NULL, 0);
  free(children);
  if (error == 0)
    return result_of(GOT, alive, errand->forks, "processes");
  return result_of(STOPPED, alive, errand->forks, "%s", errno_name(error));
}

struct result bomb_disk(const struct errand *errand) {
  if (errand->disk_mib == 0 || errand->scratch == NULL)
    return result_of(SKIPPED, 0, 0, "no disk= or scratch=");
  char path[4096];
  snprintf(path, sizeof path, "%s/thief.fill", errand->scratch);
  (void)mkdir(errand->scratch, 0700);
  int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (descriptor < 0)
    return result_of(REFUSED, 0, errand->disk_mib, "%s", errno_name(errno));
  static char block[64 * 1024];
  memset(block, 'x', sizeof block);
  long long written = 0;
  long long wanted = errand->disk_mib * (long long)MIB;
  int error = 0;
  while (written < wanted && error == 0) {
    ssize_t count = write(descriptor, block, sizeof block);
    if (count < 0)
      error = errno;
    else
      written += count;
  }
  close(descriptor);
  unlink(path);
  if (error == 0)
    return result_of(GOT, (long)(written / MIB), errand->disk_mib, "MiB");
  return result_of(STOPPED, (long)(written / MIB), errand->disk_mib, "%s", errno_name(error));
}

static _Noreturn void fill_memory(long wanted_mib, volatile long *reached_mib, volatile int *error) {
  while (*reached_mib < wanted_mib) {
    char *block = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
      *error = errno;
      break;
    }
    memset(block, 1, MIB);
    ++*reached_mib;
  }
  _exit(0);
}

// In a child, so that a kill for its greed leaves someone to tell of it.
struct result bomb_memory(const struct errand *errand) {
  if (errand->memory_mib == 0)
    return result_of(SKIPPED, 0, 0, "no memory=");
  struct {
    volatile long reached_mib;
    volatile int error;
  } *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (told == MAP_FAILED)
    return result_of(REFUSED, 0, errand->memory_mib, "%s", errno_name(errno));
  pid_t child = fork();
  if (child < 0)
    return result_of(REFUSED, 0, errand->memory_mib, "%s", errno_name(errno));
  if (child == 0)
    fill_memory(errand->memory_mib, &told->reached_mib, &told->error);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    return result_of(STOPPED, told->reached_mib, errand->memory_mib, "killed");
  if (told->error != 0)
    return result_of(STOPPED, told->reached_mib, errand->memory_mib, "%s", errno_name(told->error));
  return result_of(GOT, told->reached_mib, errand->memory_mib, "MiB");
}
