// How an attempt's result is said: one line, parted by tabs, the same on every platform.
#include "thief.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const outcome_names[] = {
    [GOT] = "got", [STOPPED] = "stopped", [REFUSED] = "refused", [SKIPPED] = "skipped"};

const char *errno_name(int error) {
  static const struct {
    int number;
    const char *name;
  } names[] = {
      {EPERM, "EPERM"},
      {ENOENT, "ENOENT"},
      {EINTR, "EINTR"},
      {EIO, "EIO"},
      {EAGAIN, "EAGAIN"},
      {ENOMEM, "ENOMEM"},
      {EACCES, "EACCES"},
      {EEXIST, "EEXIST"},
      {EXDEV, "EXDEV"},
      {ENODEV, "ENODEV"},
      {ENOTDIR, "ENOTDIR"},
      {EISDIR, "EISDIR"},
      {EINVAL, "EINVAL"},
      {EMFILE, "EMFILE"},
      {EFBIG, "EFBIG"},
      {ENOSPC, "ENOSPC"},
      {EROFS, "EROFS"},
      {EPIPE, "EPIPE"},
      {ELOOP, "ELOOP"},
      {ENOSYS, "ENOSYS"},
      {EDQUOT, "EDQUOT"},
      {EAFNOSUPPORT, "EAFNOSUPPORT"},
      {ENETUNREACH, "ENETUNREACH"},
      {ECONNREFUSED, "ECONNREFUSED"},
      {ECONNRESET, "ECONNRESET"},
      {ETIMEDOUT, "ETIMEDOUT"},
  };
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].number == error)
      return names[i].name;
  static char other[16];
  snprintf(other, sizeof other, "E#%d", error);
  return other;
}

struct result result_of(enum outcome outcome, long got, long wanted, const char *format, ...) {
  struct result result = {.outcome = outcome, .got = got, .wanted = wanted};
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(result.note, sizeof result.note, format, arguments);
  va_end(arguments);
  return result;
}

void report_line(const char *attempt, int64_t duration_us, struct result result) {
  printf("%s\t%s\t%lld\t%ld/%ld\t%s\n", attempt, outcome_names[result.outcome], (long long)duration_us, result.got,
         result.wanted, result.note);
}
