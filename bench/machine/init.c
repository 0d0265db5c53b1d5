/* The first process of a virtual machine (machine.ts): makes what a kernel leaves to be made, runs one program, and
 * ends the machine with the program's exit code. What it is told comes by the kernel's command line, as environment.
 * Static, and alone in /.machine/. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  WORDS_MAX = 64,
  LINE_MAX_BYTES = 4096,
  /* Where QEMU's isa-debug-exit is, and what its ACPI takes for soft off. */
  EXIT_PORT = 0xf4,
  POWER_PORT = 0x604,
  POWER_OFF = 0x2000,
  /* QEMU ends with (value << 1) | 1. */
  CODE_MAX = 126,
};

#define SEARCHED "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
static char *const environment[] = {"PATH=" SEARCHED, "HOME=/", NULL};

static void fail(const char *what) {
  fprintf(stderr, "machine: %s: %s\n", what, strerror(errno));
}

static void make_mount(const char *type, const char *path, const char *options) {
  mkdir(path, 0755);
  if (mount(type, path, type, MS_NOSUID, options) < 0)
    fail(path);
}

/* A kernel's first root has nothing above it, so nobody could pivot away from it or make a user namespace in a chroot:
 * a mount of it over itself has. */
static void cover_root(void) {
  if (mkdir("/.machine/root", 0755) < 0 || mount("/", "/.machine/root", NULL, MS_BIND, NULL) < 0 ||
      chdir("/.machine/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
    fail("root");
}

/* Each after those that it depends on. */
static void load_modules(void) {
  char line[LINE_MAX_BYTES];
  FILE *list = fopen("/.machine/modules", "re");
  while (list != NULL && fgets(line, sizeof line, list) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    int module = open(line, O_RDONLY | O_CLOEXEC);
    if (module < 0 || (syscall(SYS_finit_module, module, "", 0) < 0 && errno != EEXIST))
      fail(line);
    close(module);
  }
  if (list != NULL)
    fclose(list);
}

static void raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0 || ioctl(socket_fd, SIOCSIFFLAGS, &request) < 0)
    fail("lo");
  close(socket_fd);
}

/* The kernel may still be looking at its devices. */
static int open_port(const char *path, int flags) {
  int port = -1;
  for (int tries = 0; tries < 5000 && (port = open(path, flags | O_CLOEXEC)) < 0; tries++)
    usleep(1000);
  if (port < 0)
    fail(path);
  return port;
}

static int digit(char letter) {
  return letter <= '9' ? letter - '0' : letter - 'a' + 10;
}

/* Words, each ended by a zero byte, in hexadecimal. Decoded in place. */
static int decode(char *text, char **words) {
  size_t length = strlen(text) / 2;
  int count = 0;
  char *start = text;
  for (size_t index = 0; index < length; index++) {
    text[index] = (char)(digit(text[2 * index]) << 4 | digit(text[2 * index + 1]));
    if (text[index] != '\0')
      continue;
    if (count < WORDS_MAX)
      words[count++] = start;
    start = text + index + 1;
  }
  words[count] = NULL;
  return count;
}

/* Its exit code, or 128 and the signal. */
static int run(char *text, int input, int output) {
  char *words[WORDS_MAX + 1];
  int status;
  if (decode(text, words) == 0)
    return 127;
  pid_t child = fork();
  if (child == 0) {
    setsid();
    dup2(input, 0);
    dup2(output, 1);
    execvpe(words[0], words, environment);
    fail(words[0]);
    _exit(127);
  }
  while (waitpid(child, &status, 0) != child)
    continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Says that it is ready, then runs what it is sent, a line for each program, beside the first: its output, a record
 * separator, and its exit code. */
static void serve(void) {
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int port = open_port("/dev/vport0p1", O_RDWR);
  FILE *requests = fdopen(port, "r");
  char line[LINE_MAX_BYTES];
  dprintf(port, "\036exit 0\n");
  while (requests != NULL && fgets(line, sizeof line, requests) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    dprintf(port, "\036exit %d\n", run(line, nothing, port));
  }
  _exit(1);
}

static void end(int code) {
  sync();
  if (ioperm(EXIT_PORT, 1, 1) == 0 && ioperm(POWER_PORT, 2, 1) == 0) {
    if (code == 0)
      outw(POWER_OFF, POWER_PORT);
    else
      outb((unsigned char)(code > CODE_MAX ? CODE_MAX : code), EXIT_PORT);
  }
  reboot(RB_POWER_OFF);
}

int main(void) {
  make_mount("devtmpfs", "/dev", "mode=0755");
  int console = open("/dev/console", O_RDWR | O_CLOEXEC);
  for (int descriptor = 0; console >= 0 && descriptor < 3; descriptor++)
    dup2(console, descriptor);
  cover_root();
  make_mount("devtmpfs", "/dev", "mode=0755");
  make_mount("proc", "/proc", NULL);
  make_mount("sysfs", "/sys", NULL);
  make_mount("devpts", "/dev/pts", "mode=0620,ptmxmode=0666");
  make_mount("tmpfs", "/dev/shm", "mode=1777");
  make_mount("cgroup2", "/sys/fs/cgroup", "nsdelegate");
  setenv("PATH", SEARCHED, 1);
  load_modules();
  raise_loopback();
  char *words = getenv("WORDS");
  bool serves = getenv("SERVES") != NULL;
  if (serves && fork() == 0)
    serve();
  int input = serves ? open("/dev/null", O_RDONLY) : open_port("/dev/vport0p1", O_RDONLY);
  int output = serves ? open("/dev/null", O_WRONLY) : open_port("/dev/vport0p2", O_WRONLY);
  end(words == NULL ? 127 : run(words, input, output));
}
