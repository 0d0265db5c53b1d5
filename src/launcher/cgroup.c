#include "cgroup.h"

#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* How often, 10 ms apart, a group is tried that the last of its processes is just leaving. */
#define REMOVE_TRIES 50
/* The same, until it says that all in it have stopped. */
#define FREEZE_TRIES 100

static int add(struct setup *setup, char *folder) {
  if (folder[0] != '/')
    return failure_invalid(folder);
  if (setup->cgroup_count == SETUP_CGROUPS)
    return failure_invalid("too many groups");
  setup->cgroups[setup->cgroup_count++] = folder;
  return 0;
}

int cgroup_make(struct setup *setup, char **fields) {
  /* What is made stands before what is joined, so that a number says which. */
  if (setup->cgroup_count != setup->cgroups_made)
    return failure_invalid(fields[0]);
  if (add(setup, fields[0]) < 0)
    return -1;
  if (!setup->resumed && mkdirat(AT_FDCWD, fields[0], 0755) < 0)
    return failure_set("mkdirat", fields[0]);
  setup->cgroups_made++;
  return 0;
}

int cgroup_join(struct setup *setup, char **fields) {
  return add(setup, fields[0]);
}

static int write_value(int folder, const char *path, const char *value) {
  int file = openat(folder, path, O_WRONLY | O_CLOEXEC);
  if (file < 0)
    return failure_set("openat", path);
  ssize_t written = write(file, value, strlen(value));
  int error = errno;
  close(file);
  errno = error;
  return written < 0 ? failure_set("write", path) : 0;
}

int cgroup_set(struct setup *setup, char **fields) {
  return setup->resumed ? 0 : write_value(AT_FDCWD, fields[0], fields[1]);
}

int cgroup_set_kills(struct setup *setup, char **fields) {
  setup->cgroup_kills = fields[0];
  return 0;
}

int cgroup_set_freezer(struct setup *setup, char **fields) {
  setup->cgroup_freezer = fields[0];
  setup->cgroup_frozen = fields[1];
  setup->cgroup_thawed = fields[2];
  return 0;
}

static bool says(const char *path, const char *word) {
  char text[32];
  size_t wanted = strlen(word);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, text, sizeof text);
  if (file >= 0)
    close(file);
  return length > (ssize_t)wanted && memcmp(text, word, wanted) == 0 && text[wanted] == '\n';
}

bool cgroup_freeze(const struct setup *setup) {
  if (setup->cgroup_freezer == NULL || write_value(AT_FDCWD, setup->cgroup_freezer, setup->cgroup_frozen) < 0)
    return false;
  for (int tries = 0; tries < FREEZE_TRIES; tries++) {
    if (says(setup->cgroup_freezer, setup->cgroup_frozen))
      return true;
    poll(NULL, 0, 10);
  }
  cgroup_thaw(setup);
  return false;
}

void cgroup_thaw(const struct setup *setup) {
  if (setup->cgroup_freezer != NULL)
    (void)write_value(AT_FDCWD, setup->cgroup_freezer, setup->cgroup_thawed);
}

int cgroup_enter(const struct setup *setup, pid_t child) {
  char pid[21];
  number_format(pid, (uint64_t)child);
  for (unsigned index = 0; index < setup->cgroup_count; index++) {
    const char *path = setup->cgroups[index];
    failure_begin(index < setup->cgroups_made ? "cgroup" : "cgroup-join");
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
      return failure_set("open", path);
    int result = write_value(folder, "cgroup.procs", pid);
    close(folder);
    if (result < 0)
      return failure_set("write", path);
  }
  return 0;
}

int cgroup_isolate(const struct setup *setup) {
  failure_begin("cgroup");
  if (setup->cgroup_count == 0 || setup->joined != 0 || (setup->namespaces & CLONE_NEWCGROUP) == 0)
    return 0;
  return kernel_unshare(CLONE_NEWCGROUP) < 0 ? failure_set("unshare", "cgroup") : 0;
}

bool cgroup_has_killed(const struct setup *setup) {
  static const char key[] = "oom_kill ";
  char text[1024];
  if (setup->cgroup_kills == NULL)
    return false;
  int file = open(setup->cgroup_kills, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0)
    close(file);
  if (length < 0)
    return false;
  text[length] = '\0';
  for (const char *line = text; line != NULL;) {
    if (strncmp(line, key, sizeof key - 1) == 0)
      return line[sizeof key - 1] != '0';
    line = strchr(line, '\n');
    if (line != NULL)
      line++;
  }
  return false;
}

static void remove_one(const char *folder) {
  for (int tries = 0; tries < REMOVE_TRIES; tries++) {
    if (unlinkat(AT_FDCWD, folder, AT_REMOVEDIR) == 0 || errno != EBUSY)
      return;
    poll(NULL, 0, 10);
  }
}

void cgroup_remove(const struct setup *setup) {
  for (unsigned index = 0; index < setup->cgroups_made; index++)
    remove_one(setup->cgroups[index]);
}
