// Attempts that read: keys, secrets in the environment, the machine's name,
// other processes.
#include "thief.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *const key_files[] = {".ssh/id_ed25519", ".aws/credentials", ".netrc"};
enum { KEY_FILES = sizeof key_files / sizeof key_files[0] };

// Bytes that `descriptor` gives, read and forgotten.
static long drain(int descriptor) {
  char buffer[4096];
  long total = 0;
  for (ssize_t got; (got = read(descriptor, buffer, sizeof buffer)) > 0;)
    total += got;
  close(descriptor);
  return total;
}

struct result steal_keys(const struct errand *errand) {
  if (errand->home == NULL)
    return result_of(SKIPPED, 0, 0, "no home=");
  int files = 0;
  int error = 0;
  const char *first_way = NULL;
  for (size_t i = 0; i < KEY_FILES; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", errand->home, key_files[i]);
    const char *way;
    int descriptor = reach_open(errand, path, O_RDONLY, &way);
    if (descriptor < 0) {
      error = errno;
      continue;
    }
    if (first_way == NULL)
      first_way = way;
    if (drain(descriptor) > 0)
      files++;
  }
  if (files > 0)
    return result_of(GOT, files, KEY_FILES, "by %s", first_way);
  return result_of(REFUSED, 0, KEY_FILES, "%s", errno_name(error));
}

static bool is_number(const char *text) {
  for (; *text != '\0'; text++)
    if (!isdigit((unsigned char)*text))
      return false;
  return true;
}

// Reads up to `size - 1` bytes of /proc/PID/NAME and ends them with NUL; -1
// when it can't be read.
static ssize_t read_proc(const char *pid, const char *name, char *buffer, size_t size) {
  char path[320];
  snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
  int descriptor = open(path, O_RDONLY);
  if (descriptor < 0)
    return -1;
  ssize_t length = read(descriptor, buffer, size - 1);
  close(descriptor);
  if (length >= 0)
    buffer[length] = '\0';
  return length;
}

static bool environment_of_process_has(const char *pid, const char *name) {
  static char environment[65536];
  ssize_t length = read_proc(pid, "environ", environment, sizeof environment);
  size_t name_length = strlen(name);
  for (ssize_t at = 0; at < length; at += (ssize_t)strlen(environment + at) + 1)
    if (strncmp(environment + at, name, name_length) == 0 && environment[at + (ssize_t)name_length] == '=')
      return true;
  return false;
}

struct result steal_environment(const struct errand *errand) {
  if (errand->secret == NULL)
    return result_of(SKIPPED, 0, 0, "no secret=");
  if (getenv(errand->secret) != NULL)
    return result_of(GOT, 1, 1, "its own");
  DIR *processes = opendir("/proc");
  bool found = false;
  for (struct dirent *entry; processes != NULL && !found && (entry = readdir(processes)) != NULL;)
    found = is_number(entry->d_name) && environment_of_process_has(entry->d_name, errand->secret);
  if (processes != NULL)
    closedir(processes);
  if (found)
    return result_of(GOT, 1, 1, "another process's");
  return result_of(REFUSED, 0, 1, "not there");
}

struct result steal_hostname(const struct errand *errand) {
  if (errand->hostname == NULL)
    return result_of(SKIPPED, 0, 0, "no hostname=");
  struct utsname names;
  if (uname(&names) == 0 && strcmp(names.nodename, errand->hostname) == 0)
    return result_of(GOT, 1, 1, "uname");
  const char *const files[] = {"/etc/hostname", "/proc/sys/kernel/hostname"};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char text[256] = "";
    int descriptor = open(files[i], O_RDONLY);
    if (descriptor < 0)
      continue;
    ssize_t length = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    text[strcspn(text, "\n")] = '\0';
    if (length > 0 && strcmp(text, errand->hostname) == 0)
      return result_of(GOT, 1, 1, "%s", files[i]);
  }
  return result_of(REFUSED, 0, 1, "another name");
}

static long parent_of(long pid) {
  char name[32];
  char stat[1024];
  snprintf(name, sizeof name, "%ld", pid);
  if (read_proc(name, "stat", stat, sizeof stat) <= 0)
    return 0;
  const char *after_command = strrchr(stat, ')');
  long parent = 0;
  return after_command != NULL && sscanf(after_command + 1, " %*c %ld", &parent) == 1 ? parent : 0;
}

static bool is_own_or_ancestor(long pid) {
  for (long own = getpid(); own > 0; own = parent_of(own))
    if (own == pid)
      return true;
  return false;
}

// Its own line of parents up to the first process is no loot: every container
// has one.
struct result steal_processes(const struct errand *errand) {
  (void)errand;
  DIR *processes = opendir("/proc");
  if (processes == NULL)
    return result_of(REFUSED, 0, 0, "%s", errno_name(errno));
  int others = 0;
  for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
    if (is_number(entry->d_name) && !is_own_or_ancestor(atol(entry->d_name)))
      others++;
  closedir(processes);
  if (others > 0)
    return result_of(GOT, others, others, "of others");
  return result_of(REFUSED, 0, 0, "only its own");
}
