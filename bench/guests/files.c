// Work for the file system, the same source for both walls: `files WHAT DIRECTORY COUNT`. What is prepared is not
// measured.
#include "clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SMALL_BYTES = 4096, BLOCK_BYTES = 64 * 1024, BLOCKS_IN_MIB = 16 };

static char block[BLOCK_BYTES];
static char path[4096];

static const char *file_path(const char *directory, long number) {
  snprintf(path, sizeof path, "%s/file-%ld", directory, number);
  return path;
}

static bool write_file(const char *name, size_t bytes) {
  int descriptor = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (descriptor < 0)
    return false;
  while (bytes > 0) {
    size_t part = bytes < sizeof block ? bytes : sizeof block;
    if (write(descriptor, block, part) != (ssize_t)part)
      return false;
    bytes -= part;
  }
  return close(descriptor) == 0;
}

static bool make_files(const char *directory, long count, size_t bytes) {
  for (long i = 0; i < count; i++)
    if (!write_file(file_path(directory, i), bytes))
      return false;
  return true;
}

// Opens, reads 4 KiB, closes and stats each of many small files.
static int small(const char *directory, long count) {
  if (!make_files(directory, count, SMALL_BYTES))
    return 1;
  int64_t start_ns = now_ns();
  for (long i = 0; i < count; i++) {
    struct stat status;
    int descriptor = open(file_path(directory, i), O_RDONLY);
    if (descriptor < 0 || read(descriptor, block, SMALL_BYTES) != SMALL_BYTES || close(descriptor) != 0)
      return 1;
    if (stat(path, &status) != 0 || status.st_size != SMALL_BYTES)
      return 1;
  }
  return report_ns(start_ns);
}

// Reads one large file from its start to its end, then in pieces of 4 KiB from scattered places.
static int large_read(const char *directory, long mib) {
  if (!write_file(file_path(directory, 0), (size_t)mib << 20))
    return 1;
  int descriptor = open(path, O_RDONLY);
  if (descriptor < 0)
    return 1;
  int64_t start_ns = now_ns();
  while (read(descriptor, block, sizeof block) > 0)
    continue;
  for (long i = 0; i < mib * BLOCKS_IN_MIB; i++) {
    off_t position = (off_t)(i * 7919 % (mib * BLOCKS_IN_MIB)) * BLOCK_BYTES;
    if (pread(descriptor, block, SMALL_BYTES, position) != SMALL_BYTES)
      return 1;
  }
  return report_ns(start_ns);
}

static int large_write(const char *directory, long mib) {
  int64_t start_ns = now_ns();
  if (!write_file(file_path(directory, 0), (size_t)mib << 20))
    return 1;
  return report_ns(start_ns);
}

static int list(const char *directory, long count) {
  if (!make_files(directory, count, 0))
    return 1;
  int64_t start_ns = now_ns();
  DIR *stream = opendir(directory);
  if (stream == NULL)
    return 1;
  long found = 0;
  while (readdir(stream) != NULL)
    found++;
  closedir(stream);
  return found < count ? 1 : report_ns(start_ns);
}

static int stat_all(const char *directory, long count) {
  if (!make_files(directory, count, 0))
    return 1;
  struct stat status;
  int64_t start_ns = now_ns();
  for (long i = 0; i < count; i++)
    if (stat(file_path(directory, i), &status) != 0)
      return 1;
  return report_ns(start_ns);
}

static int create(const char *directory, long count) {
  int64_t start_ns = now_ns();
  if (!make_files(directory, count, 0))
    return 1;
  return report_ns(start_ns);
}

// Away with all that was made: the next run finds what this one found.
static void clean(const char *directory, long count) {
  for (long i = 0; i < count; i++)
    unlink(file_path(directory, i));
  rmdir(directory);
}

int main(int argc, char **argv) {
  if (argc != 4)
    return 2;
  static const struct {
    const char *name;
    int (*work)(const char *directory, long count);
  } works[] = {{"small", small}, {"large-read", large_read}, {"large-write", large_write}, {"list", list}, {"stat", stat_all}, {"create", create}};
  if (mkdir(argv[2], 0755) != 0)
    return 1;
  for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
    if (strcmp(argv[1], works[i].name) == 0) {
      int status = works[i].work(argv[2], strtol(argv[3], NULL, 10));
      clean(argv[2], strtol(argv[3], NULL, 10));
      return status;
    }
  return 2;
}
