// What a guest can see and do: `probe SECRET NEW-FILE PORT PID WRITABLE`, a file of the host's, one that is not there
// yet, a port of the host's loopback, a process of the host's and a folder of the guest's own. Each line of the answer is a word and what was found; the last is
// `end`.
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static char up[PATH_BYTES], link_path[PATH_BYTES], target[PATH_BYTES];

static bool can_read(const char *path) {
  char text[32];
  int descriptor = open(path, O_RDONLY);
  bool has_read = descriptor >= 0 && read(descriptor, text, sizeof text) > 0;
  if (descriptor >= 0)
    close(descriptor);
  return has_read;
}

// Through a link of the guest's own making.
static bool can_read_through(const char *where) {
  bool has_read = symlink(where, link_path) == 0 && can_read(link_path);
  unlink(link_path);
  return has_read;
}

// By its name, out of the guest's own folder by `..`, and by links that lead out of it.
static void look_for_files(const char *secret, const char *new_file, const char *writable) {
  snprintf(up, sizeof up, "%s/../../../../../../../../../..%s", writable, secret);
  snprintf(target, sizeof target, "../../../../../../../../../..%s", secret);
  snprintf(link_path, sizeof link_path, "%s/way", writable);
  bool has_read = can_read(secret) || can_read(up) || can_read_through(secret) || can_read_through(target);
  printf("host-file %s\n", has_read ? "read" : "unseen");
  // Its folder is the host's alone: in a root of the guest's own there is none to write to.
  int descriptor = open(new_file, O_WRONLY | O_CREAT, 0600);
  printf("host-write %s\n", descriptor >= 0 ? "written" : "refused");
  if (descriptor >= 0) {
    close(descriptor);
    unlink(new_file);
  }
}

#ifdef __wasm__

static void look_around(const char *port, const char *pid) {
  (void)port;
  (void)pid;
  printf("kind module\n");
}

#else

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>

enum { LAST_CALL = 450, ANSWERED = 0, REFUSED = 1, PATIENCE_US = 50000 };

static void status_line(const char *field, const char *word) {
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  while (status != NULL && fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, field, strlen(field)) == 0)
      printf("%s %s", word, line + strlen(field) + 1);
  if (status != NULL)
    fclose(status);
}

// Drawn by a kernel when it boots: two of one release differ in it.
static void boot_id(void) {
  FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
  char line[64];
  if (file != NULL && fgets(line, sizeof line, file) != NULL)
    printf("boot-id %s", line);
  if (file != NULL)
    fclose(file);
}

static void namespaces(void) {
  static const char *const names[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[64], target[64] = "";
    snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
    ssize_t length = readlink(path, target, sizeof target - 1);
    printf("ns-%s %s\n", names[i], length < 0 ? "hidden" : target);
  }
}

static void count_devices(void) {
  DIR *folder = opendir("/dev");
  int count = 0;
  while (folder != NULL && readdir(folder) != NULL)
    count++;
  if (folder != NULL)
    closedir(folder);
  printf("devices %d\n", count > 2 ? count - 2 : 0);
}

static void host_port(const char *port) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int status = descriptor < 0 ? -1 : connect(descriptor, (struct sockaddr *)&address, sizeof address);
  printf("host-port %s\n", status == 0 ? "connected" : strerror(errno));
}

// Its command is looked at, since another process may have the same number in a namespace of its own.
static void host_process(const char *pid) {
  char path[64], name[64] = "";
  snprintf(path, sizeof path, "/proc/%s/comm", pid);
  FILE *comm = fopen(path, "r");
  bool is_node = comm != NULL && fgets(name, sizeof name, comm) != NULL && strncmp(name, "node", 4) == 0;
  printf("host-process %s\n", is_node ? "seen" : "unseen");
}

// What would wait for something, end the guest or trouble the whole machine is not asked for.
static bool is_passed_over(long call) {
  static const long passed[] = {SYS_exit,   SYS_exit_group,   SYS_rt_sigreturn, SYS_pause,   SYS_fork,
                                SYS_vfork,  SYS_clone,        SYS_sync,         SYS_vhangup, SYS_restart_syscall,
                                SYS_reboot, SYS_rt_sigsuspend};
  for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
    if (passed[i] == call)
      return true;
  return false;
}

// Asks with nothing that makes sense: whoever answers anything but "not permitted" and "no such call" was reached.
static int ask(long call) {
  pid_t child = fork();
  if (child == 0) {
    struct itimerval patience = {.it_value = {.tv_usec = PATIENCE_US}};
    setitimer(ITIMER_REAL, &patience, NULL);
    errno = 0;
    long result = syscall(call, -1L, -1L, -1L, -1L, -1L, -1L);
    _exit(result == -1 && (errno == EPERM || errno == ENOSYS) ? REFUSED : ANSWERED);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0)
    return REFUSED;
  // The filter of a wall may kill; a call that waits was reached.
  return WIFSIGNALED(status) ? (WTERMSIG(status) == SIGSYS ? REFUSED : ANSWERED) : WEXITSTATUS(status);
}

static void system_calls(void) {
  int answered = 0, asked = 0;
  for (long call = 0; call <= LAST_CALL; call++) {
    if (is_passed_over(call))
      continue;
    asked++;
    if (ask(call) == ANSWERED)
      answered++;
  }
  printf("calls %d %d\n", answered, asked);
}

static void user_namespace(void) {
  pid_t child = fork();
  if (child == 0)
    _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
  int status = 1;
  waitpid(child, &status, 0);
  printf("user-namespace %s\n", status == 0 ? "made" : "refused");
}

static void look_around(const char *port, const char *pid) {
  struct utsname name;
  printf("kind program\nkernel %s\n", uname(&name) == 0 ? name.release : "hidden");
  boot_id();
  status_line("Seccomp:", "seccomp");
  status_line("CapEff:", "capabilities");
  status_line("NoNewPrivs:", "no-new-privs");
  namespaces();
  count_devices();
  host_port(port);
  host_process(pid);
  user_namespace();
  fflush(stdout);
  system_calls();
}

#endif

int main(int argc, char **argv) {
  if (argc != 6)
    return 2;
  look_for_files(argv[1], argv[2], argv[5]);
  look_around(argv[3], argv[4]);
  printf("end\n");
  return 0;
}
