/* Writes a tree as a stream, or what a tree has in it without what its files say. One directory is open at a time,
 * whatever the depth: each is found from the root by its path. Mounts are not entered, but below a container path; that
 * is openat2's to see, since st_dev differs within one overlay. */
#include "failure.h"
#include "kernel.h"
#include "setup.h"
#include "tree.h"
#include "tree_stream.h"

#include <dirent.h>
#include <errno.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define OUTPUT_BYTES (TREE_RECORD_MAXIMUM + 8192)
#define LINKED_LISTS 4096

/* An overlay shows each layer's files with a device number of its own, so inode numbers alone may meet. */
struct linked {
  dev_t device;
  ino_t inode;
  char *path;
  struct linked *next;
};

struct reader {
  int root, output;
  bool only_lists;  /* without what is in the files */
  bool for_archive; /* of each file first what an archive says first: its attributes, and where it has bytes */
  bool is_live;     /* the tree may be written to meanwhile: what vanishes is passed over */
  uint64_t resolve;
  char *buffer;
  size_t used;
  char path[PATH_MAX];
  struct linked *linked[LINKED_LISTS]; /* files with more than one name, by inode */
};

static int flush(struct reader *reader) {
  for (size_t at = 0; at < reader->used;) {
    ssize_t written = write(reader->output, reader->buffer + at, reader->used - at);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return failure_set("write", "stream");
    at += (size_t)written;
  }
  reader->used = 0;
  return 0;
}

static int put(struct reader *reader, const void *bytes, size_t length) {
  if (reader->used + length > OUTPUT_BYTES && flush(reader) < 0)
    return -1;
  memcpy(reader->buffer + reader->used, bytes, length);
  reader->used += length;
  return 0;
}

static int put_header(struct reader *reader, enum tree_record type, size_t length) {
  struct tree_header header = {(uint8_t)type, (uint32_t)length};
  return put(reader, &header, sizeof header);
}

/* The name under which an inode has been written already; NULL the first time, which is remembered. */
static const char *written_as(struct reader *reader, const struct stat *status) {
  struct linked **list = &reader->linked[status->st_ino % LINKED_LISTS];
  for (struct linked *linked = *list; linked != NULL; linked = linked->next)
    if (linked->inode == status->st_ino && linked->device == status->st_dev)
      return linked->path;
  struct linked *linked = malloc(sizeof *linked);
  if (linked == NULL)
    abort();
  *linked = (struct linked){status->st_dev, status->st_ino, strdup(reader->path), *list};
  if (linked->path == NULL)
    abort();
  *list = linked;
  return NULL;
}

static int put_entry(struct reader *reader, enum tree_kind kind, const struct stat *status, const char *target) {
  size_t path_length = strlen(reader->path), target_length = strlen(target);
  struct tree_entry entry = {
      .kind = (uint8_t)kind,
      .mode = status->st_mode & 07777,
      .uid = status->st_uid,
      .gid = status->st_gid,
      .path_length = (uint16_t)path_length,
      .target_length = (uint16_t)target_length,
      .size = kind == TREE_FILE ? (uint64_t)status->st_size : 0,
      .mtime_seconds = status->st_mtim.tv_sec,
      .atime_seconds = status->st_atim.tv_sec,
      .mtime_nanoseconds = (uint32_t)status->st_mtim.tv_nsec,
      .atime_nanoseconds = (uint32_t)status->st_atim.tv_nsec,
      .major = major(status->st_rdev),
      .minor = minor(status->st_rdev),
  };
  return put_header(reader, TREE_ENTRY, sizeof entry + path_length + target_length) < 0 ||
                 put(reader, &entry, sizeof entry) < 0 || put(reader, reader->path, path_length) < 0 ||
                 put(reader, target, target_length) < 0
             ? -1
             : 0;
}

static int put_xattr(struct reader *reader, int file, const char *name) {
  static char value[XATTR_SIZE_MAX];
  uint16_t name_length = (uint16_t)strlen(name);
  ssize_t length = fgetxattr(file, name, value, sizeof value);
  if (length < 0)
    return reader->is_live && errno == ENODATA ? 0 : failure_set("fgetxattr", reader->path);
  return put_header(reader, TREE_XATTR, sizeof name_length + name_length + (size_t)length) < 0 ||
                 put(reader, &name_length, sizeof name_length) < 0 || put(reader, name, name_length) < 0 ||
                 put(reader, value, (size_t)length) < 0
             ? -1
             : 0;
}

static int put_xattrs(struct reader *reader, int file) {
  static char names[XATTR_LIST_MAX];
  ssize_t length = flistxattr(file, names, sizeof names);
  if (length < 0)
    return errno == ENOTSUP ? 0 : failure_set("flistxattr", reader->path);
  for (char *name = names; name < names + length; name += strlen(name) + 1)
    if (put_xattr(reader, file, name) < 0)
      return -1;
  return 0;
}

/* One stretch of a file that has bytes. */
static int put_stretch(struct reader *reader, int file, off_t from, off_t to) {
  while (from < to) {
    uint64_t offset = (uint64_t)from;
    size_t wanted = to - from > TREE_DATA_BYTES ? TREE_DATA_BYTES : (size_t)(to - from);
    if (flush(reader) < 0)
      return -1;
    /* Read behind where the record's beginning goes: how much there is decides what it says. */
    char *bytes = reader->buffer + sizeof(struct tree_header) + sizeof offset;
    ssize_t count = pread(file, bytes, wanted, from);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return failure_set("pread", reader->path);
    if (count == 0)
      return 0;
    if (put_header(reader, TREE_DATA, sizeof offset + (size_t)count) < 0 || put(reader, &offset, sizeof offset) < 0)
      return -1;
    reader->used += (size_t)count;
    from += count;
  }
  return 0;
}

static int put_contents(struct reader *reader, int file, off_t size) {
  for (off_t at = 0; at < size;) {
    off_t from = lseek(file, at, SEEK_DATA);
    if (from < 0 && errno == ENXIO)
      return 0;
    off_t to = from < 0 ? -1 : lseek(file, from, SEEK_HOLE);
    if (from < 0 || to < 0) {
      from = at;
      to = size;
    }
    if (to > size)
      to = size;
    if (put_stretch(reader, file, from, to) < 0)
      return -1;
    at = to;
  }
  return 0;
}

/* Says of a file with holes where it has bytes. Of more stretches than there is room for, the last one reaches to the
 * end; a file system that knows no holes says nothing. */
static int put_segments(struct reader *reader, int file, off_t size) {
  static struct tree_segment segments[TREE_SEGMENTS_MAXIMUM];
  size_t count = 0;
  for (off_t at = 0; at < size;) {
    off_t from = lseek(file, at, SEEK_DATA);
    if (from < 0 && errno == ENXIO)
      break;
    off_t to = from < 0 ? -1 : lseek(file, from, SEEK_HOLE);
    if (to < 0)
      return 0;
    if (count == TREE_SEGMENTS_MAXIMUM) {
      segments[count - 1].length = (uint64_t)size - segments[count - 1].position;
      break;
    }
    if (from >= size)
      break;
    at = to > size ? size : to;
    segments[count++] = (struct tree_segment){(uint64_t)from, (uint64_t)(at - from)};
  }
  if (size == 0 || (count == 1 && segments[0].position == 0 && segments[0].length == (uint64_t)size))
    return 0;
  return put_header(reader, TREE_SEGMENTS, count * sizeof *segments) < 0 ||
                 put(reader, segments, count * sizeof *segments) < 0
             ? -1
             : 0;
}

/* Whether what failed has been removed or replaced by somebody else, who may. */
static bool is_passed_over(const struct reader *reader) {
  return reader->is_live && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENXIO);
}

/* Of a file that was opened. Attributes come first, since an archive says them first. */
static int put_opened_file(struct reader *reader, int file, const struct stat *status) {
  if (put_entry(reader, TREE_FILE, status, "") < 0 || put_xattrs(reader, file) < 0 ||
      (reader->for_archive && put_segments(reader, file, status->st_size) < 0))
    return -1;
  return put_contents(reader, file, status->st_size);
}

/* What is said of the file is what was opened, whatever bore the name before. */
static int put_file_at(struct reader *reader, int folder, const char *name, uint64_t resolve) {
  struct stat status;
  int file = kernel_openat2(folder, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW, 0, resolve);
  if (file < 0)
    return is_passed_over(reader) ? 0 : failure_set("openat2", reader->path);
  if (fstat(file, &status) < 0)
    return failure_set("fstat", reader->path);
  int result = S_ISREG(status.st_mode) ? put_opened_file(reader, file, &status) : 0;
  close(file);
  return result;
}

static int put_file(struct reader *reader, int folder, const char *name, const struct stat *status) {
  return reader->only_lists ? put_entry(reader, TREE_FILE, status, "")
                            : put_file_at(reader, folder, name, reader->resolve);
}

static int put_symlink(struct reader *reader, int folder, const char *name, const struct stat *status) {
  char target[PATH_MAX];
  ssize_t length = readlinkat(folder, name, target, sizeof target - 1);
  if (length < 0)
    return is_passed_over(reader) ? 0 : failure_set("readlinkat", reader->path);
  target[length] = '\0';
  return put_entry(reader, TREE_SYMLINK, status, target);
}

static enum tree_kind kind_of(const struct stat *status) {
  switch (status->st_mode & S_IFMT) {
  case S_IFDIR:
    return TREE_DIRECTORY;
  case S_IFREG:
    return TREE_FILE;
  case S_IFLNK:
    return TREE_SYMLINK;
  case S_IFIFO:
    return TREE_FIFO;
  case S_IFCHR:
    return TREE_CHARACTER_DEVICE;
  case S_IFBLK:
    return TREE_BLOCK_DEVICE;
  default:
    return TREE_SOCKET;
  }
}

/* Anything but a directory. */
static int put_leaf(struct reader *reader, int folder, const char *name, const struct stat *status) {
  const char *other = status->st_nlink > 1 ? written_as(reader, status) : NULL;
  if (other != NULL)
    return put_entry(reader, TREE_HARD_LINK, status, other);
  enum tree_kind kind = kind_of(status);
  if (kind == TREE_FILE)
    return put_file(reader, folder, name, status);
  return kind == TREE_SYMLINK ? put_symlink(reader, folder, name, status) : put_entry(reader, kind, status, "");
}

/* The names in a directory, but for "." and "..", in the order of their bytes. */
struct names {
  char **list;
  size_t count;
};

static int by_bytes(const void *first, const void *second) {
  return strcmp(*(char *const *)first, *(char *const *)second);
}

static void add_name(struct names *names, const char *name) {
  /* The list doubles whenever its length is a power of two. */
  if ((names->count & (names->count - 1)) == 0)
    names->list = realloc(names->list, (names->count == 0 ? 1 : names->count * 2) * sizeof *names->list);
  if (names->list == NULL || (names->list[names->count++] = strdup(name)) == NULL)
    abort();
}

/* The directory's descriptor stays the caller's. */
static int list_names(int directory, struct names *names) {
  int copy = fcntl(directory, F_DUPFD_CLOEXEC, 3);
  DIR *folder = copy < 0 ? NULL : fdopendir(copy);
  if (folder == NULL)
    return -1;
  struct dirent *entry;
  while (errno = 0, (entry = readdir(folder)) != NULL)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      add_name(names, entry->d_name);
  int error = errno;
  closedir(folder);
  errno = error;
  if (names->count > 0)
    qsort(names->list, names->count, sizeof *names->list, by_bytes);
  return error == 0 ? 0 : -1;
}

static int put_directory(struct reader *reader);

/* Puts `name` behind the path. */
static int descend(struct reader *reader, size_t length, const char *name) {
  size_t name_length = strlen(name);
  if (length + 1 + name_length >= sizeof reader->path) {
    errno = ENAMETOOLONG;
    return failure_set("openat2", reader->path);
  }
  if (length > 0)
    reader->path[length++] = '/';
  memcpy(reader->path + length, name, name_length + 1);
  return 0;
}

/* Leaves first, marking what is a directory by clearing the other names. */
static int put_leaves(struct reader *reader, int folder, const struct names *names) {
  size_t length = strlen(reader->path);
  for (size_t index = 0; index < names->count; index++) {
    struct stat status;
    char *name = names->list[index];
    if (descend(reader, length, name) < 0)
      return -1;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
      if (!is_passed_over(reader))
        return failure_set("fstatat", reader->path);
      name[0] = '\0';
    } else if (!S_ISDIR(status.st_mode)) {
      if (put_leaf(reader, folder, name, &status) < 0)
        return -1;
      name[0] = '\0';
    }
    reader->path[length] = '\0';
  }
  return 0;
}

static int put_folders(struct reader *reader, const struct names *names) {
  size_t length = strlen(reader->path);
  for (size_t index = 0; index < names->count; index++) {
    if (names->list[index][0] == '\0')
      continue;
    if (descend(reader, length, names->list[index]) < 0 || put_directory(reader) < 0)
      return -1;
    reader->path[length] = '\0';
  }
  return 0;
}

/* The directory that the path names, and all below it. */
static int put_directory(struct reader *reader) {
  struct stat status;
  struct names names = {0};
  int folder = kernel_openat2(reader->root, reader->path[0] == '\0' ? "." : reader->path, O_RDONLY | O_DIRECTORY, 0,
                              reader->resolve);
  if (folder < 0 || fstat(folder, &status) < 0)
    return is_passed_over(reader) ? 0 : failure_set("openat2", reader->path);
  if (put_entry(reader, TREE_DIRECTORY, &status, "") < 0 || put_xattrs(reader, folder) < 0)
    return -1;
  if (list_names(folder, &names) < 0)
    return failure_set("getdents64", reader->path);
  int result = put_leaves(reader, folder, &names);
  close(folder);
  if (result == 0)
    result = put_folders(reader, &names);
  for (size_t index = 0; index < names.count; index++)
    free(names.list[index]);
  free(names.list);
  return result;
}

/* A reader at its beginning. It is too large for the stack, and adds nothing to the program while it is all zeros
 * there. */
static struct reader *new_reader(uint64_t resolve) {
  static struct reader reader;
  for (size_t list = 0; list < LINKED_LISTS; list++)
    for (struct linked *linked = reader.linked[list], *next; linked != NULL; linked = next) {
      next = linked->next;
      free(linked->path);
      free(linked);
    }
  memset(&reader, 0, sizeof reader);
  reader.resolve = resolve;
  return &reader;
}

static int begin_stream(struct reader *reader, int output) {
  reader->output = output;
  reader->buffer = malloc(OUTPUT_BYTES);
  return reader->buffer == NULL ? failure_set("malloc", "stream") : put(reader, TREE_MAGIC, TREE_MAGIC_BYTES);
}

static int end_stream(struct reader *reader) {
  return put_header(reader, TREE_END, 0) < 0 || flush(reader) < 0 ? -1 : 0;
}

static void close_stream(struct reader *reader) {
  free(reader->buffer);
  close(reader->root);
  close(reader->output);
}

static int write_stream(struct reader *reader, char **fields) {
  int output = tree_parse_descriptor(fields[1]);
  if (output < 0)
    return -1;
  reader->root = open(fields[0], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (reader->root < 0)
    return failure_set("open", fields[0]);
  if (begin_stream(reader, output) < 0 || put_directory(reader) < 0 || end_stream(reader) < 0)
    return -1;
  close_stream(reader);
  return 0;
}

/* Every record before it is whole: what fails is asked of the kernel before the record about it is begun. */
static void put_failure(struct reader *reader) {
  uint32_t error = (uint32_t)failure.error;
  size_t call = strlen(failure.call) + 1, argument = strlen(failure.argument);
  if (put_header(reader, TREE_BROKEN, sizeof error + call + argument) == 0 && put(reader, &error, sizeof error) == 0 &&
      put(reader, failure.call, call) == 0 && put(reader, failure.argument, argument) == 0)
    flush(reader);
}

void tree_give(int user_namespace, int root, int output) {
  struct reader *reader = new_reader(TREE_RESOLVE);
  reader->root = root;
  if (begin_stream(reader, output) < 0)
    return;
  if (kernel_setns(user_namespace, CLONE_NEWUSER) < 0) {
    failure_set("setns", "user");
    put_failure(reader);
    return;
  }
  /* Not sooner: more capabilities take it back. */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || put_directory(reader) < 0 || end_stream(reader) < 0)
    put_failure(reader);
}

int tree_read(struct setup *setup, char **fields) {
  struct reader *reader = new_reader(TREE_RESOLVE);
  (void)setup;
  reader->is_live = true;
  return write_stream(reader, fields);
}

int tree_list(struct setup *setup, char **fields) {
  struct reader *reader = new_reader(TREE_RESOLVE);
  (void)setup;
  reader->only_lists = reader->is_live = true;
  return write_stream(reader, fields);
}

/* What a container path leads to: a symlink at its end itself, unless a slash follows. */
#define PATH_RESOLVE (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

static int put_path(struct reader *reader, const struct setup *setup, char *path) {
  struct stat status;
  if (fstat(reader->root, &status) < 0)
    return failure_set("fstat", path);
  if (S_ISLNK(status.st_mode))
    return put_symlink(reader, reader->root, "", &status);
  if (reader->only_lists || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)))
    return put_entry(reader, kind_of(&status), &status, "");
  return S_ISDIR(status.st_mode) ? put_directory(reader) : put_file_at(reader, setup->root, path, PATH_RESOLVE);
}

/* A stream without an entry says that nothing is there. */
static int write_path(struct reader *reader, const struct setup *setup, char **fields) {
  reader->root = kernel_openat2(setup->root, fields[0], O_PATH | O_NOFOLLOW, 0, PATH_RESOLVE);
  if (reader->root < 0 && errno != ENOENT && errno != ENOTDIR)
    return failure_set("openat2", fields[0]);
  int output = tree_parse_descriptor(fields[1]);
  if (output < 0 || begin_stream(reader, output) < 0 || (reader->root >= 0 && put_path(reader, setup, fields[0]) < 0) ||
      end_stream(reader) < 0)
    return -1;
  close_stream(reader);
  return 0;
}

int tree_stat_path(struct setup *setup, char **fields) {
  struct reader *reader = new_reader(0);
  reader->only_lists = true;
  return write_path(reader, setup, fields);
}

int tree_read_path(struct setup *setup, char **fields) {
  struct reader *reader = new_reader(TREE_RESOLVE & ~(uint64_t)RESOLVE_NO_XDEV);
  reader->for_archive = reader->is_live = true;
  return write_path(reader, setup, fields);
}
