#include "namespace.h"

#include "failure.h"
#include "kernel.h"
#include "nest.h"
#include "number.h"
#include "setup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const struct {
  const char *name;
  uint64_t flag;
} kinds[] = {
    {"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},       {"ipc", CLONE_NEWIPC},
    {"uts", CLONE_NEWUTS},   {"net", CLONE_NEWNET},  {"cgroup", CLONE_NEWCGROUP},
};

int namespace_add(struct setup *setup, char **fields) {
  for (size_t index = 0; index < sizeof kinds / sizeof *kinds; index++)
    if (strcmp(kinds[index].name, fields[0]) == 0) {
      setup->namespaces |= kinds[index].flag;
      return 0;
    }
  return failure_invalid(fields[0]);
}

static int add_extent(struct id_map *map, char **fields) {
  uint64_t inside, outside, holders, count;
  if (number_parse(fields[0], 10, UINT32_MAX, &inside) < 0 || number_parse(fields[1], 10, UINT32_MAX, &outside) < 0 ||
      number_parse(fields[2], 10, UINT32_MAX, &holders) < 0 || number_parse(fields[3], 10, UINT32_MAX, &count) < 0)
    return -1;
  if (map->count == SETUP_EXTENTS)
    return failure_invalid("too many extents");
  map->extents[map->count++] = (struct extent){(uint32_t)inside, (uint32_t)outside, (uint32_t)holders, (uint32_t)count};
  return 0;
}

int namespace_map_uid(struct setup *setup, char **fields) {
  return add_extent(&setup->uids, fields);
}

int namespace_map_gid(struct setup *setup, char **fields) {
  return add_extent(&setup->gids, fields);
}

int namespace_set_helper(struct setup *setup, char **fields) {
  if (fields[0][0] != '/' || fields[1][0] != '/')
    return failure_invalid(fields[0]);
  setup->newuidmap = fields[0];
  setup->newgidmap = fields[1];
  return 0;
}

int namespace_set_hostname(struct setup *setup, char **fields) {
  (void)setup;
  return sethostname(fields[0], strlen(fields[0])) < 0 ? failure_set("sethostname", fields[0]) : 0;
}

/* Field 22 of proc_pid_stat(5), counted from behind the name, which may hold anything. */
static int read_start(const char *path, uint64_t *start) {
  char text[1024];
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = descriptor < 0 ? -1 : read(descriptor, text, sizeof text - 1);
  if (length < 0)
    return failure_set("read", "stat");
  close(descriptor);
  text[length] = '\0';
  const char *at = strrchr(text, ')');
  for (int field = 2; at != NULL && field < 22; field++)
    at = strchr(at + 1, ' ');
  if (at == NULL)
    return failure_invalid("stat");
  at++;
  *start = number_take(&at);
  return 0;
}

int namespace_open_process(char *pid_text, char *start_text, pid_t *pid) {
  uint64_t number, wanted, start;
  char path[32];
  if (number_parse(pid_text, 10, INT32_MAX, &number) < 0 || number_parse(start_text, 10, UINT64_MAX, &wanted) < 0)
    return -1;
  *pid = (pid_t)number;
  snprintf(path, sizeof path, "/proc/%d/stat", *pid);
  int process = kernel_pidfd_open(*pid);
  if (process < 0)
    return failure_set("pidfd_open", pid_text);
  if (read_start(path, &start) < 0 || start != wanted) {
    close(process);
    errno = ESRCH;
    return failure_set("pidfd_open", pid_text);
  }
  return process;
}

int namespace_set_joined(struct setup *setup, char **fields) {
  if (setup->resumed) {
    uint64_t pid;
    if (number_parse(fields[0], 10, INT32_MAX, &pid) < 0)
      return -1;
    setup->joined = (pid_t)pid;
    return 0;
  }
  setup->joined_process = namespace_open_process(fields[0], fields[1], &setup->joined);
  return setup->joined_process < 0 ? -1 : 0;
}

int namespace_join(const struct setup *setup, uint64_t namespaces) {
  failure_begin("join");
  return kernel_setns(setup->joined_process, (int)namespaces) < 0 ? failure_set("setns", "") : 0;
}

pid_t namespace_clone(struct setup *setup, int *process) {
  /* A namespace of control groups has as its root where its maker is, and the child is moved first. */
  uint64_t later = CLONE_NEWNET | (setup->cgroup_count > 0 ? CLONE_NEWCGROUP : 0);
  uint64_t made = setup->joined != 0 ? 0 : setup->namespaces & ~later;
  if (setup->holder != 0 && (made & CLONE_NEWUSER) != 0) {
    pid_t nested = nest_clone(setup, made, process);
    if (nested >= 0 || setup->holder != 0)
      return nested;
  }
  struct clone_args arguments = {
      .flags = made | CLONE_PIDFD,
      .pidfd = (uint64_t)(uintptr_t)process,
      .exit_signal = SIGCHLD,
  };
  failure_begin("namespace");
  long child = kernel_clone3(&arguments, sizeof arguments);
  if (child < 0)
    return failure_set("clone3", "");
  return (pid_t)child;
}

static int write_file(int directory, const char *name, const char *text, size_t length) {
  int descriptor = openat(directory, name, O_WRONLY | O_CLOEXEC);
  if (descriptor < 0)
    return failure_set("open", name);
  ssize_t written = write(descriptor, text, length);
  if (written < 0)
    return failure_set("write", name);
  close(descriptor);
  return 0;
}

/* Below a holder the ids outside are the holder's. */
static int write_map(int directory, const char *name, const struct id_map *map, bool below) {
  char text[SETUP_EXTENTS * 34];
  size_t length = 0;
  for (unsigned index = 0; index < map->count; index++) {
    const struct extent *extent = &map->extents[index];
    length += (size_t)snprintf(text + length, sizeof text - length, "%u %u %u\n", extent->inside,
                               below ? extent->holders : extent->outside, extent->count);
  }
  return write_file(directory, name, text, length);
}

/* Starts newuidmap or newgidmap. It gets nothing of ours but its arguments. */
static pid_t start_helper(char *program, pid_t child, const struct id_map *map) {
  static char numbers[2 + 3 * SETUP_EXTENTS][21];
  static char *arguments[3 + 3 * SETUP_EXTENTS];
  unsigned count = 0;
  arguments[count++] = program;
  arguments[count] = number_format(numbers[count], (uint64_t)child);
  count++;
  for (unsigned index = 0; index < map->count; index++) {
    const uint32_t values[] = {map->extents[index].inside, map->extents[index].outside, map->extents[index].count};
    for (unsigned field = 0; field < 3; field++, count++)
      arguments[count] = number_format(numbers[count], values[field]);
  }
  arguments[count] = NULL;
  pid_t helper = vfork();
  if (helper == 0) {
    char *environment[] = {NULL};
    kernel_close_range(0, ~0U, 0);
    execve(program, arguments, environment);
    _exit(127);
  }
  return helper;
}

static int wait_helper(pid_t helper, char *program) {
  int status;
  if (helper < 0)
    return failure_set("vfork", program);
  while (waitpid(helper, &status, 0) < 0)
    if (errno != EINTR)
      return failure_set("waitpid", program);
  if (status == 0)
    return 0;
  errno = WIFEXITED(status) && WEXITSTATUS(status) == 127 ? ENOENT : EPERM;
  return failure_set("execve", program);
}

static int map_by_helpers(const struct setup *setup, pid_t child) {
  failure_begin("id-map-helper");
  /* Both at once: each costs more than everything else in a start. */
  pid_t first = start_helper(setup->newuidmap, child, &setup->uids);
  pid_t second = start_helper(setup->newgidmap, child, &setup->gids);
  int first_result = wait_helper(first, setup->newuidmap);
  int second_result = wait_helper(second, setup->newgidmap);
  return first_result < 0 ? first_result : second_result;
}

static int map_directly(const struct setup *setup, int directory) {
  failure_begin("uid-map");
  if (setup->uids.count > 0 && write_map(directory, "uid_map", &setup->uids, false) < 0)
    return -1;
  failure_begin("gid-map");
  /* user_namespaces(7): without privilege a gid map needs setgroups denied, or a group that denies could be dropped. */
  if (setup->gids.count > 0 &&
      (write_file(directory, "setgroups", "deny", 4) < 0 || write_map(directory, "gid_map", &setup->gids, false) < 0))
    return -1;
  return 0;
}

static int map_below(const struct setup *setup, int directory) {
  failure_begin("uid-map");
  if (write_map(directory, "uid_map", &setup->uids, true) < 0)
    return -1;
  failure_begin("gid-map");
  return write_map(directory, "gid_map", &setup->gids, true);
}

static int write_maps(const struct setup *setup, pid_t child, int (*map)(const struct setup *, int)) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", child);
  failure_begin("uid-map");
  int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0)
    return failure_set("open", "/proc");
  int result = map(setup, directory);
  close(directory);
  return result;
}

int namespace_write_maps_below(const struct setup *setup, pid_t child) {
  return write_maps(setup, child, map_below);
}

int namespace_write_maps(const struct setup *setup, pid_t child) {
  if ((setup->namespaces & CLONE_NEWUSER) == 0 || setup->joined != 0 || setup->holder != 0)
    return 0;
  return setup->newuidmap != NULL ? map_by_helpers(setup, child) : write_maps(setup, child, map_directly);
}
