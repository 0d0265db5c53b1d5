/* System calls under the names of the C library: the result, or -1 with errno. On 64-bit processors the structures of
 * glibc's headers are those of the kernel, but for sigset_t and struct termios. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Bytes of the kernel's signal set. */
#define SIGNAL_SET_BYTES 8

/* One thread only ever runs here. */
static int last_error;

int *__errno_location(void) {
  return &last_error;
}

#if defined __x86_64__
static long enter(long number, const long arguments[6]) {
  long result;
  register long fourth __asm__("r10") = arguments[3];
  register long fifth __asm__("r8") = arguments[4];
  register long sixth __asm__("r9") = arguments[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]), "r"(fourth), "r"(fifth),
                     "r"(sixth)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined __aarch64__
static long enter(long number, const long arguments[6]) {
  register long call __asm__("x8") = number;
  register long first __asm__("x0") = arguments[0];
  register long second __asm__("x1") = arguments[1];
  register long third __asm__("x2") = arguments[2];
  register long fourth __asm__("x3") = arguments[3];
  register long fifth __asm__("x4") = arguments[4];
  register long sixth __asm__("x5") = arguments[5];
  __asm__ volatile("svc #0"
                   : "+r"(first)
                   : "r"(call), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                   : "memory");
  return first;
}
#endif

static long finish(long result) {
  if (result >= 0 || result < -4095)
    return result;
  last_error = (int)-result;
  return -1;
}

#define CALL(number, ...) finish(enter((number), (const long[6]){__VA_ARGS__}))
#define AT(pointer)       ((long)(uintptr_t)(pointer))

long syscall(long number, ...) {
  long arguments[6];
  va_list rest;
  va_start(rest, number);
  for (int index = 0; index < 6; index++)
    arguments[index] = va_arg(rest, long);
  va_end(rest);
  return finish(enter(number, arguments));
}

/* Processes. */

void _exit(int status) {
  for (;;)
    CALL(SYS_exit_group, status);
}

void abort(void) {
  kill(getpid(), SIGABRT);
  __builtin_trap();
}

pid_t fork(void) {
  return (pid_t)CALL(SYS_clone, SIGCHLD);
}

/* With memory of its own, unlike the C library's: a stack that both used could not be returned from. */
pid_t vfork(void) {
  return (pid_t)CALL(SYS_clone, SIGCHLD);
}

/* How clone(2) ends for who called it. */
int libc_cloned(long result);

int libc_cloned(long result) {
  return (int)finish(result);
}

/* clone(function, stack, flags, argument): the child has no frame to return from, so the function and its argument go
 * over by the new stack, and its result is the exit status. */
#if defined __x86_64__
__asm__(".globl clone\n"
        "clone:\n"
        "  and $-16, %rsi\n"
        "  sub $16, %rsi\n"
        "  mov %rdi, (%rsi)\n"
        "  mov %rcx, 8(%rsi)\n"
        "  mov %edx, %edi\n"
        "  xor %edx, %edx\n"
        "  xor %r10d, %r10d\n"
        "  xor %r8d, %r8d\n"
        "  mov $56, %eax\n"
        "  syscall\n"
        "  test %rax, %rax\n"
        "  jz 1f\n"
        "  mov %rax, %rdi\n"
        "  jmp libc_cloned\n"
        "1:\n"
        "  xor %ebp, %ebp\n"
        "  pop %rax\n"
        "  pop %rdi\n"
        "  call *%rax\n"
        "  mov %eax, %edi\n"
        "  mov $60, %eax\n"
        "  syscall\n");
_Static_assert(SYS_clone == 56 && SYS_exit == 60, "the numbers above");
#elif defined __aarch64__
__asm__(".globl clone\n"
        "clone:\n"
        "  and x1, x1, #-16\n"
        "  stp x0, x3, [x1, #-16]!\n"
        "  mov w0, w2\n"
        "  mov x2, xzr\n"
        "  mov x3, xzr\n"
        "  mov x4, xzr\n"
        "  mov x8, #220\n"
        "  svc #0\n"
        "  cbz x0, 1f\n"
        "  b libc_cloned\n"
        "1:\n"
        "  mov x29, xzr\n"
        "  ldp x1, x0, [sp], #16\n"
        "  blr x1\n"
        "  mov x8, #93\n"
        "  svc #0\n");
_Static_assert(SYS_clone == 220 && SYS_exit == 93, "the numbers above");
#endif

int execve(const char *path, char *const arguments[], char *const environment[]) {
  return (int)CALL(SYS_execve, AT(path), AT(arguments), AT(environment));
}

pid_t waitpid(pid_t pid, int *status, int options) {
  return (pid_t)CALL(SYS_wait4, pid, AT(status), options);
}

pid_t getpid(void) {
  return (pid_t)CALL(SYS_getpid);
}

uid_t geteuid(void) {
  return (uid_t)CALL(SYS_geteuid, 0);
}

pid_t getsid(pid_t pid) {
  return (pid_t)CALL(SYS_getsid, pid);
}

pid_t setsid(void) {
  return (pid_t)CALL(SYS_setsid);
}

int kill(pid_t pid, int number) {
  return (int)CALL(SYS_kill, pid, number);
}

int prctl(int option, ...) {
  long arguments[4];
  va_list rest;
  va_start(rest, option);
  for (int index = 0; index < 4; index++)
    arguments[index] = va_arg(rest, long);
  va_end(rest);
  return (int)CALL(SYS_prctl, option, arguments[0], arguments[1], arguments[2], arguments[3]);
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit) {
  return (int)CALL(SYS_prlimit64, 0, (long)resource, 0, AT(limit));
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
  return (int)CALL(SYS_prlimit64, 0, (long)resource, AT(limit));
}

mode_t umask(mode_t mask) {
  return (mode_t)CALL(SYS_umask, mask);
}

int setgroups(size_t count, const gid_t *groups) {
  return (int)CALL(SYS_setgroups, (long)count, AT(groups));
}

int setresuid(uid_t real, uid_t effective, uid_t saved) {
  return (int)CALL(SYS_setresuid, real, effective, saved);
}

int setresgid(gid_t real, gid_t effective, gid_t saved) {
  return (int)CALL(SYS_setresgid, real, effective, saved);
}

int sethostname(const char *name, size_t length) {
  return (int)CALL(SYS_sethostname, AT(name), (long)length);
}

int uname(struct utsname *names) {
  return (int)CALL(SYS_uname, AT(names));
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  return (int)CALL(SYS_clock_gettime, clock, AT(time));
}

/* Signals. A handler would need a way back that only a C library has; what is set here is to ignore or the default. */

__sighandler_t signal(int number, __sighandler_t disposition) {
  const struct {
    __sighandler_t disposition;
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
  } action = {.disposition = disposition};
  return CALL(SYS_rt_sigaction, number, AT(&action), 0, SIGNAL_SET_BYTES) < 0 ? SIG_ERR : SIG_DFL;
}

int sigemptyset(sigset_t *set) {
  memset(set, 0, sizeof *set);
  return 0;
}

int sigfillset(sigset_t *set) {
  memset(set, 0xff, sizeof *set);
  return 0;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *former) {
  return (int)CALL(SYS_rt_sigprocmask, how, AT(set), AT(former), SIGNAL_SET_BYTES);
}

int sigwaitinfo(const sigset_t *set, siginfo_t *information) {
  return (int)CALL(SYS_rt_sigtimedwait, AT(set), AT(information), 0, SIGNAL_SET_BYTES);
}

/* Descriptors. */

int openat(int folder, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return (int)CALL(SYS_openat, folder, AT(path), flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return openat(AT_FDCWD, path, flags, mode);
}

int close(int descriptor) {
  return (int)CALL(SYS_close, descriptor);
}

int fcntl(int descriptor, int command, ...) {
  va_list rest;
  va_start(rest, command);
  long argument = va_arg(rest, long);
  va_end(rest);
  return (int)CALL(SYS_fcntl, descriptor, command, argument);
}

int ioctl(int descriptor, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  long argument = va_arg(rest, long);
  va_end(rest);
  return (int)CALL(SYS_ioctl, descriptor, (long)request, argument);
}

int dup2(int from, int to) {
  /* dup3 refuses what dup2 takes as done. */
  if (from == to)
    return fcntl(from, F_GETFD) < 0 ? -1 : to;
  return (int)CALL(SYS_dup3, from, to, 0);
}

int pipe(int ends[2]) {
  return (int)CALL(SYS_pipe2, AT(ends), 0);
}

int poll(struct pollfd *watched, nfds_t count, int timeout_ms) {
  struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
  return (int)CALL(SYS_ppoll, AT(watched), (long)count, timeout_ms < 0 ? 0 : AT(&timeout), 0, 0);
}

int __poll_chk(struct pollfd *watched, nfds_t count, int timeout_ms, size_t room) {
  if (count > room / sizeof *watched)
    abort();
  return poll(watched, count, timeout_ms);
}

ssize_t read(int descriptor, void *bytes, size_t length) {
  return CALL(SYS_read, descriptor, AT(bytes), (long)length);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
  return CALL(SYS_write, descriptor, AT(bytes), (long)length);
}

ssize_t pread(int descriptor, void *bytes, size_t length, off_t offset) {
  return CALL(SYS_pread64, descriptor, AT(bytes), (long)length, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
  return CALL(SYS_pwrite64, descriptor, AT(bytes), (long)length, offset);
}

int fsync(int descriptor) {
  return (int)CALL(SYS_fsync, descriptor);
}

off_t lseek(int descriptor, off_t offset, int whence) {
  return CALL(SYS_lseek, descriptor, offset, whence);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t length) {
  return CALL(SYS_sendfile, to, from, AT(offset), (long)length);
}

ssize_t copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset, size_t length, unsigned flags) {
  return CALL(SYS_copy_file_range, from, AT(from_offset), to, AT(to_offset), (long)length, flags);
}

ssize_t splice(int from, off_t *from_offset, int to, off_t *to_offset, size_t length, unsigned flags) {
  return CALL(SYS_splice, from, AT(from_offset), to, AT(to_offset), (long)length, flags);
}

int ftruncate(int descriptor, off_t length) {
  return (int)CALL(SYS_ftruncate, descriptor, length);
}

int memfd_create(const char *name, unsigned flags) {
  return (int)CALL(SYS_memfd_create, AT(name), flags);
}

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  return (void *)CALL(SYS_mmap, AT(address), (long)length, protection, flags, descriptor, offset);
}

int munmap(void *address, size_t length) {
  return (int)CALL(SYS_munmap, AT(address), (long)length);
}

int tcgetattr(int descriptor, struct termios *settings) {
  /* asm/termbits.h, which can't be included beside termios.h. */
  struct {
    tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
    cc_t c_line, c_cc[19];
  } kernel;
  if (ioctl(descriptor, TCGETS, &kernel) < 0)
    return -1;
  *settings = (struct termios){
      .c_iflag = kernel.c_iflag, .c_oflag = kernel.c_oflag, .c_cflag = kernel.c_cflag, .c_lflag = kernel.c_lflag};
  memcpy(settings->c_cc, kernel.c_cc, sizeof kernel.c_cc);
  return 0;
}

/* Sockets. */

int socket(int domain, int type, int protocol) {
  return (int)CALL(SYS_socket, domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int ends[2]) {
  return (int)CALL(SYS_socketpair, domain, type, protocol, AT(ends));
}

int bind(int descriptor, __CONST_SOCKADDR_ARG address, socklen_t length) {
  return (int)CALL(SYS_bind, descriptor, AT(address.__sockaddr__), length);
}

int connect(int descriptor, __CONST_SOCKADDR_ARG address, socklen_t length) {
  return (int)CALL(SYS_connect, descriptor, AT(address.__sockaddr__), length);
}

int listen(int descriptor, int backlog) {
  return (int)CALL(SYS_listen, descriptor, backlog);
}

int accept4(int descriptor, __SOCKADDR_ARG address, socklen_t *length, int flags) {
  return (int)CALL(SYS_accept4, descriptor, AT(address.__sockaddr__), AT(length), flags);
}

int getsockopt(int descriptor, int level, int option, void *restrict value, socklen_t *restrict length) {
  return (int)CALL(SYS_getsockopt, descriptor, level, option, AT(value), AT(length));
}

int setsockopt(int descriptor, int level, int option, const void *value, socklen_t length) {
  return (int)CALL(SYS_setsockopt, descriptor, level, option, AT(value), length);
}

ssize_t send(int descriptor, const void *bytes, size_t length, int flags) {
  return CALL(SYS_sendto, descriptor, AT(bytes), (long)length, flags, 0, 0);
}

ssize_t recv(int descriptor, void *bytes, size_t length, int flags) {
  return CALL(SYS_recvfrom, descriptor, AT(bytes), (long)length, flags, 0, 0);
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
  return CALL(SYS_sendmsg, descriptor, AT(message), flags);
}

int shutdown(int descriptor, int how) {
  return (int)CALL(SYS_shutdown, descriptor, how);
}

ssize_t recvmsg(int descriptor, struct msghdr *message, int flags) {
  return CALL(SYS_recvmsg, descriptor, AT(message), flags);
}

/* Files. */

int fstatat(int folder, const char *path, struct stat *status, int flags) {
  return (int)CALL(SYS_newfstatat, folder, AT(path), AT(status), flags);
}

int fstat(int descriptor, struct stat *status) {
  return (int)CALL(SYS_fstat, descriptor, AT(status));
}

int stat(const char *path, struct stat *status) {
  return fstatat(AT_FDCWD, path, status, 0);
}

int statfs(const char *path, struct statfs *status) {
  return (int)CALL(SYS_statfs, AT(path), AT(status));
}

int fstatfs(int descriptor, struct statfs *status) {
  return (int)CALL(SYS_fstatfs, descriptor, AT(status));
}

ssize_t readlinkat(int folder, const char *path, char *target, size_t length) {
  return CALL(SYS_readlinkat, folder, AT(path), AT(target), (long)length);
}

ssize_t readlink(const char *path, char *target, size_t length) {
  return readlinkat(AT_FDCWD, path, target, length);
}

int mkdirat(int folder, const char *path, mode_t mode) {
  return (int)CALL(SYS_mkdirat, folder, AT(path), mode);
}

int mknodat(int folder, const char *path, mode_t mode, dev_t device) {
  return (int)CALL(SYS_mknodat, folder, AT(path), mode, (long)device);
}

int symlinkat(const char *target, int folder, const char *path) {
  return (int)CALL(SYS_symlinkat, AT(target), folder, AT(path));
}

int linkat(int from, const char *from_path, int to, const char *to_path, int flags) {
  return (int)CALL(SYS_linkat, from, AT(from_path), to, AT(to_path), flags);
}

int renameat(int from, const char *from_path, int to, const char *to_path) {
  return (int)CALL(SYS_renameat, from, AT(from_path), to, AT(to_path));
}

int unlinkat(int folder, const char *path, int flags) {
  return (int)CALL(SYS_unlinkat, folder, AT(path), flags);
}

int rmdir(const char *path) {
  return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int chdir(const char *path) {
  return (int)CALL(SYS_chdir, AT(path));
}

int fchdir(int folder) {
  return (int)CALL(SYS_fchdir, folder);
}

char *getcwd(char *path, size_t length) {
  return CALL(SYS_getcwd, AT(path), (long)length) < 0 ? NULL : path;
}

int fchmod(int descriptor, mode_t mode) {
  return (int)CALL(SYS_fchmod, descriptor, mode);
}

/* Without flags, which the kernel's call has none of. */
int fchmodat(int folder, const char *path, mode_t mode, int flags) {
  if (flags != 0) {
    last_error = EOPNOTSUPP;
    return -1;
  }
  return (int)CALL(SYS_fchmodat, folder, AT(path), mode);
}

int fchown(int descriptor, uid_t uid, gid_t gid) {
  return (int)CALL(SYS_fchown, descriptor, uid, gid);
}

int fchownat(int folder, const char *path, uid_t uid, gid_t gid, int flags) {
  return (int)CALL(SYS_fchownat, folder, AT(path), uid, gid, flags);
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags) {
  return (int)CALL(SYS_utimensat, folder, AT(path), AT(times), flags);
}

int futimens(int descriptor, const struct timespec times[2]) {
  return (int)CALL(SYS_utimensat, descriptor, 0, AT(times), 0);
}

ssize_t flistxattr(int descriptor, char *names, size_t length) {
  return CALL(SYS_flistxattr, descriptor, AT(names), (long)length);
}

ssize_t fgetxattr(int descriptor, const char *name, void *value, size_t length) {
  return CALL(SYS_fgetxattr, descriptor, AT(name), AT(value), (long)length);
}

int fsetxattr(int descriptor, const char *name, const void *value, size_t length, int flags) {
  return (int)CALL(SYS_fsetxattr, descriptor, AT(name), AT(value), (long)length, flags);
}
