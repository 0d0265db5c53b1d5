/* Everything is read through the host's /proc, opened before the first mount: no file of the image and no mount of the
 * plan can stand in for it. */
#include "receipt.h"

#include "failure.h"
#include "kernel.h"
#include "number.h"
#include "setup.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>

/* The kernel gives these files a page at a time. */
#define PIECE_BYTES 4096

/* `self` is /proc/self of the guest-to-be. */
static int read_all(int descriptor, const char *path, struct event *text) {
  ssize_t count;
  while ((count = read(descriptor, event_room(text, PIECE_BYTES), PIECE_BYTES)) > 0)
    text->length += (size_t)count;
  if (count < 0)
    return failure_set("read", path);
  close(descriptor);
  return 0;
}

static int read_file(int self, const char *path, struct event *text) {
  int descriptor = openat(self, path, O_RDONLY | O_CLOEXEC);
  return descriptor < 0 ? failure_set("openat", path) : read_all(descriptor, path, text);
}

static int add_file(int self, struct event *event, const char *key, const char *path) {
  struct event text = {0};
  if (read_file(self, path, &text) < 0)
    return -1;
  event_text(event, key, text.bytes, text.length);
  free(text.bytes);
  return 0;
}

static int add_texts(int self, struct event *event) {
  static const char *const files[][2] = {
      {"mountinfo", "mountinfo"},
      {"limits", "limits"},
      {"uid_map", "uid_map"},
      {"gid_map", "gid_map"},
  };
  for (size_t index = 0; index < sizeof files / sizeof *files; index++)
    if (add_file(self, event, files[index][0], files[index][1]) < 0)
      return -1;
  return 0;
}

static int add_namespaces(int self, struct event *event) {
  static const char *const names[] = {"pid", "uts", "mnt", "ipc", "net", "user", "cgroup"};
  char path[32], target[64];
  event_open(event, "namespaces", '{');
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    strcpy(stpcpy(path, "ns/"), names[index]);
    ssize_t length = readlinkat(self, path, target, sizeof target - 1);
    if (length < 0)
      return failure_set("readlinkat", names[index]);
    target[length] = '\0';
    const char *inode = target + strcspn(target, "[") + 1;
    event_number(event, names[index], inode > target + length ? 0 : (int64_t)number_take(&inode));
  }
  event_close(event, '}');
  return 0;
}

/* Those that execve leaves open. */
static int add_descriptors(int self, struct event *event) {
  int descriptor = openat(self, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = descriptor < 0 ? NULL : fdopendir(descriptor);
  if (folder == NULL)
    return failure_set("openat", "self/fd");
  event_open(event, "descriptors", '[');
  for (struct dirent *entry; errno = 0, (entry = readdir(folder)) != NULL;) {
    const char *name = entry->d_name;
    int number = (int)number_take(&name);
    if (entry->d_name[0] != '.' && (fcntl(number, F_GETFD) & FD_CLOEXEC) == 0)
      event_number_element(event, number);
  }
  if (errno != 0)
    return failure_set("getdents64", "self/fd");
  event_close(event, ']');
  closedir(folder);
  return 0;
}

static int compare_names(const void *first, const void *second) {
  return strcmp(*(char *const *)first, *(char *const *)second);
}

static int add_devices(struct event *event) {
  char **names = NULL;
  size_t count = 0;
  event_open(event, "devices", '[');
  DIR *folder = opendir("/dev");
  if (folder == NULL && errno != ENOENT && errno != ENOTDIR)
    return failure_set("open", "/dev");
  for (struct dirent *entry; errno = 0, folder != NULL && (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    names = realloc(names, (count + 1) * sizeof *names);
    if (names == NULL || (names[count++] = strdup(entry->d_name)) == NULL)
      abort();
  }
  if (errno != 0)
    return failure_set("getdents64", "/dev");
  if (folder != NULL)
    closedir(folder);
  if (count > 0)
    qsort(names, count, sizeof *names, compare_names);
  for (size_t index = 0; index < count; index++)
    event_string_element(event, names[index]);
  event_close(event, ']');
  return 0;
}

/* Names from net/dev, whose two lines of heading have no interface; flags from the kernel. */
static int add_interfaces(int self, struct event *event) {
  struct event text = {0};
  if (read_file(self, "net/dev", &text) < 0)
    return -1;
  event_raw(&text, "", 1);
  /* Made here and not inherited: a socket belongs to the network namespace it was made in. */
  int asking = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (asking < 0)
    return failure_set("socket", "interfaces");
  event_open(event, "interfaces", '{');
  char *rest = text.bytes, *line;
  for (int number = 0; (line = strsep(&rest, "\n")) != NULL; number++) {
    char *name = line + strspn(line, " "), *colon = strchr(name, ':');
    struct ifreq request = {0};
    if (number < 2 || colon == NULL || colon - name >= IFNAMSIZ)
      continue;
    memcpy(request.ifr_name, name, (size_t)(colon - name));
    if (ioctl(asking, SIOCGIFFLAGS, &request) < 0)
      return failure_set("ioctl", "SIOCGIFFLAGS");
    event_bool(event, request.ifr_name, (request.ifr_flags & IFF_UP) != 0);
  }
  event_close(event, '}');
  close(asking);
  free(text.bytes);
  return 0;
}

static int add_process(int self, struct event *event) {
  struct utsname names;
  struct event score = {0};
  char directory[PATH_MAX];
  mode_t mask = umask(0);
  umask(mask);
  if (uname(&names) < 0)
    return failure_set("uname", "");
  if (read_file(self, "oom_score_adj", &score) < 0)
    return -1;
  event_raw(&score, "", 1);
  if (getcwd(directory, sizeof directory) == NULL)
    return failure_set("getcwd", "");
  event_string(event, "hostname", names.nodename);
  event_bool(event, "session", getsid(0) == getpid());
  event_number(event, "umask", mask);
  bool below_zero = score.bytes[0] == '-';
  const char *digits = score.bytes + below_zero;
  int64_t points = (int64_t)number_take(&digits);
  event_number(event, "oom_score_adj", below_zero ? -points : points);
  event_bool(event, "dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0);
  event_string(event, "working_directory", directory);
  free(score.bytes);
  return 0;
}

static void add_landlock(const struct setup *setup, struct event *event) {
  if (!setup->landlock_wanted) {
    event_null(event, "landlock");
    return;
  }
  event_open(event, "landlock", '{');
  event_number(event, "abi", setup->landlock_abi);
  event_open(event, "scopes", '[');
  if (setup->landlock_scopes & KERNEL_LANDLOCK_SCOPE_ABSTRACT_UNIX)
    event_string_element(event, "abstract-unix-socket");
  if (setup->landlock_scopes & KERNEL_LANDLOCK_SCOPE_SIGNAL)
    event_string_element(event, "signal");
  event_close(event, ']');
  event_close(event, '}');
}

static int add_root(struct event *event) {
  struct statfs status;
  if (statfs("/", &status) < 0)
    return failure_set("statfs", "/");
  event_open(event, "root", '{');
  event_number(event, "bytes", (int64_t)status.f_blocks * status.f_bsize);
  event_number(event, "inodes", (int64_t)status.f_files);
  event_close(event, '}');
  return 0;
}

/* Read back, each as the kernel has it for the namespaces of whoever asks. */
static int add_sysctls(const struct setup *setup, struct event *event) {
  char path[PATH_MAX];
  event_open(event, "sysctls", '{');
  for (unsigned index = 0; index < setup->sysctl_count; index++) {
    struct event text = {0};
    if (snprintf(path, sizeof path, "sys/%s", setup->sysctls[index]) >= (int)sizeof path)
      return failure_invalid(setup->sysctls[index]);
    if (read_file(setup->proc, path, &text) < 0)
      return -1;
    while (text.length > 0 && text.bytes[text.length - 1] == '\n')
      text.length--;
    event_text(event, setup->sysctls[index], text.bytes, text.length);
    free(text.bytes);
  }
  event_close(event, '}');
  return 0;
}

static void add_terminal(struct event *event) {
  struct winsize size;
  if (ioctl(0, TIOCGWINSZ, &size) < 0) {
    event_null(event, "terminal");
    return;
  }
  event_open(event, "terminal", '{');
  event_number(event, "rows", size.ws_row);
  event_number(event, "columns", size.ws_col);
  event_close(event, '}');
}

int receipt_collect(struct setup *setup, struct event *event) {
  int self = openat(setup->proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (self < 0)
    return failure_set("openat", "self");
  event_begin(event, "receipt");
  if (add_namespaces(self, event) < 0 || add_texts(self, event) < 0 || add_descriptors(self, event) < 0 ||
      add_interfaces(self, event) < 0 || add_process(self, event) < 0 || add_devices(event) < 0 ||
      add_root(event) < 0 || add_sysctls(setup, event) < 0)
    return -1;
  add_landlock(setup, event);
  add_terminal(event);
  event_number(event, "seccomp_instructions", setup->seccomp_wanted ? setup->seccomp.len : 0);
  setup->status = openat(self, "status", O_RDONLY | O_CLOEXEC);
  return setup->status < 0 ? failure_set("openat", "status") : close(self);
}

int receipt_add_status(struct setup *setup, struct event *event) {
  struct event text = {0};
  if (read_all(setup->status, "status", &text) < 0)
    return -1;
  event_text(event, "status", text.bytes, text.length);
  free(text.bytes);
  return 0;
}
