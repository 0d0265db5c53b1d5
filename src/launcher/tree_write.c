/* Makes a tree from a stream. The stream may be hostile: every name is looked up below the tree's root without
 * following a link or crossing a mount, every length is checked, and nothing but the tree is ever written to.
 *
 * In a container (`path-write`) others may write meanwhile and swap what they can: a directory of the stream's own is
 * reached through no symlink, any other way stays inside the container's root, and attributes go to what was made, or
 * to what is still of the kind that the stream names, and to nothing that has taken its name since. */
#include "failure.h"
#include "kernel.h"
#include "make.h"
#include "setup.h"
#include "tree.h"
#include "tree_stream.h"

#include <errno.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define INPUT_BYTES (2 * TREE_RECORD_MAXIMUM)

/* A directory whose times are set when everything is in it. */
struct dated {
  char *path;
  bool loose; /* how it was reached */
  struct timespec times[2];
};

struct writer {
  const struct setup *setup;
  const char *base; /* container path of the root, whose other files stay or are replaced; NULL of a tree of our own */
  int root, input;
  char *buffer;
  size_t start, end;
  /* The entry being made: its path, and a descriptor when it is a directory or file. */
  struct tree_entry entry;
  char path[PATH_MAX], target[PATH_MAX];
  int file;
  /* The last parent looked up; entries mostly come directory by directory. */
  char parent_path[PATH_MAX];
  bool parent_loose;
  int parent;
  struct dated *dated;
  size_t dated_count, dated_capacity;
  bool copy_by_sendfile;
};

static int refuse(struct writer *writer, const char *call, int error) {
  errno = error;
  return failure_set(call, writer->path);
}

/* Makes `wanted` bytes contiguous at buffer + start. */
static int need(struct writer *writer, size_t wanted) {
  if (writer->end - writer->start >= wanted)
    return 0;
  memmove(writer->buffer, writer->buffer + writer->start, writer->end - writer->start);
  writer->end -= writer->start;
  writer->start = 0;
  while (writer->end < wanted) {
    ssize_t count = read(writer->input, writer->buffer + writer->end, INPUT_BYTES - writer->end);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return failure_set("read", "stream");
    if (count == 0) {
      errno = EPIPE;
      return failure_set("read", "stream");
    }
    writer->end += (size_t)count;
  }
  return 0;
}

/* Relative, and each component a plain name. */
static bool is_plain(const char *path) {
  for (const char *at = path; *at != '\0';) {
    size_t length = strcspn(at, "/");
    bool dots = at[0] == '.' && (length == 1 || (length == 2 && at[1] == '.'));
    if (length == 0 || dots)
      return false;
    at += length;
    if (*at == '/' && *++at == '\0')
      return false;
  }
  return true;
}

/* A directory of the container to which no entry of the stream's leads: made where it is missing. -1 with errno. */
static int open_loosely(const struct writer *writer, const char *path) {
  char whole[PATH_MAX];
  if (strlen(writer->base) + 1 + strlen(path) >= sizeof whole) {
    errno = ENAMETOOLONG;
    return -1;
  }
  stpcpy(stpcpy(stpcpy(whole, writer->base), "/"), path);
  return make_folder(writer->setup, whole);
}

/* O_PATH descriptor of a directory below the root; the empty path is the root. -1 with errno. */
static int open_below(const struct writer *writer, const char *path, bool loose) {
  if (writer->base != NULL && loose && path[0] != '\0')
    return open_loosely(writer, path);
  /* What a container has mounted is its own. */
  uint64_t resolve = writer->base == NULL ? TREE_RESOLVE : TREE_RESOLVE & ~(uint64_t)RESOLVE_NO_XDEV;
  return kernel_openat2(writer->root, path[0] == '\0' ? "." : path, O_PATH | O_DIRECTORY, 0, resolve);
}

/* Opens the parent of `path`, which stays open as long as the next path has the same; `name` is the last component. */
static int open_parent(struct writer *writer, const char *path, bool loose, const char **name) {
  const char *slash = strrchr(path, '/');
  size_t length = slash == NULL ? 0 : (size_t)(slash - path);
  *name = slash == NULL ? path : slash + 1;
  if (writer->parent >= 0 && writer->parent_loose == loose && strlen(writer->parent_path) == length &&
      memcmp(writer->parent_path, path, length) == 0)
    return 0;
  if (writer->parent >= 0)
    close(writer->parent);
  memcpy(writer->parent_path, path, length);
  writer->parent_path[length] = '\0';
  writer->parent_loose = loose;
  writer->parent = open_below(writer, writer->parent_path, loose);
  return writer->parent < 0 ? failure_set("openat2", writer->path) : 0;
}

static uint32_t own_id(const struct id_map *map, uint32_t id, bool substitute) {
  for (unsigned index = 0; index < map->count; index++)
    if (id >= map->extents[index].inside && id - map->extents[index].inside < map->extents[index].count)
      return id;
  return substitute && map->count > 0 ? map->extents[0].inside : id;
}

static void owners(const struct writer *writer, uid_t *uid, gid_t *gid) {
  *uid = own_id(&writer->setup->uids, writer->entry.uid, writer->setup->substitute_owners);
  *gid = own_id(&writer->setup->gids, writer->entry.gid, writer->setup->substitute_owners);
}

static void entry_times(const struct tree_entry *entry, struct timespec times[2]) {
  times[0] = (struct timespec){.tv_sec = entry->atime_seconds, .tv_nsec = entry->atime_nanoseconds};
  times[1] = (struct timespec){.tv_sec = entry->mtime_seconds, .tv_nsec = entry->mtime_nanoseconds};
}

/* Of what was made in a directory to which others may write: it must still be that, and have no other name. */
static int set_attributes_of_made(struct writer *writer, const char *name, mode_t type) {
  struct timespec times[2];
  struct stat status;
  uid_t uid;
  gid_t gid;
  owners(writer, &uid, &gid);
  entry_times(&writer->entry, times);
  int made = openat(writer->parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (made < 0 || fstat(made, &status) < 0)
    return failure_set("openat", writer->path);
  if ((status.st_mode & S_IFMT) != type || status.st_nlink != 1 || status.st_uid != 0)
    return refuse(writer, "openat", EBUSY);
  if (fchownat(made, "", uid, gid, AT_EMPTY_PATH) < 0)
    return failure_set("fchownat", writer->path);
  if (utimensat(made, "", times, AT_EMPTY_PATH) < 0)
    return failure_set("utimensat", writer->path);
  return close(made);
}

/* Everything that has no descriptor of its own: of a tree of our own, where only we write. */
static int set_named_attributes(struct writer *writer, const char *name, mode_t type) {
  struct timespec times[2];
  uid_t uid;
  gid_t gid;
  if (writer->base != NULL)
    return set_attributes_of_made(writer, name, type);
  owners(writer, &uid, &gid);
  entry_times(&writer->entry, times);
  if (fchownat(writer->parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
    return failure_set("fchownat", writer->path);
  if (utimensat(writer->parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
    return failure_set("utimensat", writer->path);
  return 0;
}

static int set_owner(struct writer *writer) {
  uid_t uid;
  gid_t gid;
  owners(writer, &uid, &gid);
  return fchown(writer->file, uid, gid) < 0 ? failure_set("fchownat", writer->path) : 0;
}

/* Whether to try once more to make what failed because its name is taken: in a container, what bears it makes way, but
 * a directory never. */
static bool has_made_way(const struct writer *writer, const char *name) {
  return errno == EEXIST && writer->base != NULL && unlinkat(writer->parent, name, 0) == 0;
}

static int make_directory_entry(struct writer *writer, const char *name) {
  bool is_root = writer->path[0] == '\0';
  /* A place in a container stays as it is. */
  if (is_root && writer->base != NULL)
    return 0;
  if (!is_root && mkdirat(writer->parent, name, 0700) < 0 && errno != EEXIST)
    return failure_set("mkdirat", writer->path);
  writer->file = openat(is_root ? writer->root : writer->parent, is_root ? "." : name,
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return writer->file < 0 ? failure_set("openat", writer->path) : set_owner(writer);
}

static int make_file_entry(struct writer *writer, const char *name) {
  do
    writer->file = openat(writer->parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  while (writer->file < 0 && has_made_way(writer, name));
  return writer->file < 0 ? failure_set("openat", writer->path) : set_owner(writer);
}

static int make_hard_link(struct writer *writer, const char *name) {
  const char *slash = strrchr(writer->target, '/'), *target_name = slash == NULL ? writer->target : slash + 1;
  char parent[PATH_MAX] = "";
  if (writer->target[0] == '\0')
    return refuse(writer, "linkat", EINVAL);
  if (slash != NULL) {
    memcpy(parent, writer->target, (size_t)(slash - writer->target));
    parent[slash - writer->target] = '\0';
  }
  int folder = open_below(writer, parent, writer->entry.loose != 0);
  if (folder < 0)
    return failure_set("openat2", writer->path);
  int result;
  do
    result = linkat(folder, target_name, writer->parent, name, 0);
  while (result < 0 && has_made_way(writer, name));
  int error = errno;
  close(folder);
  return result < 0 ? refuse(writer, "linkat", error) : 0;
}

static int make_special(struct writer *writer, const char *name, mode_t type) {
  dev_t device = type == S_IFCHR || type == S_IFBLK ? makedev(writer->entry.major, writer->entry.minor) : 0;
  bool whiteout = type == S_IFCHR && device == 0;
  if (!whiteout && (type == S_IFCHR || type == S_IFBLK) && writer->setup->substitute_devices) {
    writer->entry.kind = TREE_FILE;
    writer->entry.size = 0;
    return make_file_entry(writer, name);
  }
  int result;
  do
    result = mknodat(writer->parent, name, type | (writer->entry.mode & 07777), device);
  while (result < 0 && has_made_way(writer, name));
  if (result < 0)
    return failure_set("mknodat", writer->path);
  if (set_named_attributes(writer, name, type) < 0)
    return -1;
  /* chown took setuid and setgid away. What was just made here is no symlink. */
  if (writer->base == NULL && (writer->entry.mode & 06000) != 0 &&
      fchmodat(writer->parent, name, writer->entry.mode & 07777, 0) < 0)
    return failure_set("fchmodat", writer->path);
  return 0;
}

static int make_symlink_entry(struct writer *writer, const char *name) {
  int result;
  do
    result = symlinkat(writer->target, writer->parent, name);
  while (result < 0 && has_made_way(writer, name));
  return result < 0 ? failure_set("symlinkat", writer->path) : set_named_attributes(writer, name, S_IFLNK);
}

static int make_entry(struct writer *writer) {
  const char *name;
  if (writer->path[0] == '\0' && writer->entry.kind != TREE_DIRECTORY)
    return refuse(writer, "stream", EINVAL);
  if (writer->path[0] == '\0')
    return make_directory_entry(writer, "");
  if (open_parent(writer, writer->path, writer->entry.loose != 0, &name) < 0)
    return -1;
  switch (writer->entry.kind) {
  case TREE_DIRECTORY:
    return make_directory_entry(writer, name);
  case TREE_FILE:
    return make_file_entry(writer, name);
  case TREE_SYMLINK:
    return make_symlink_entry(writer, name);
  case TREE_HARD_LINK:
    return make_hard_link(writer, name);
  case TREE_FIFO:
    return make_special(writer, name, S_IFIFO);
  case TREE_CHARACTER_DEVICE:
    return make_special(writer, name, S_IFCHR);
  case TREE_BLOCK_DEVICE:
    return make_special(writer, name, S_IFBLK);
  case TREE_SOCKET:
    return make_special(writer, name, S_IFSOCK);
  default:
    return refuse(writer, "stream", EINVAL);
  }
}

/* A directory's times would not survive what is yet to be made in it. */
static int date_later(struct writer *writer) {
  if (writer->dated_count == writer->dated_capacity) {
    writer->dated_capacity = writer->dated_capacity == 0 ? 64 : writer->dated_capacity * 2;
    writer->dated = realloc(writer->dated, writer->dated_capacity * sizeof *writer->dated);
    if (writer->dated == NULL)
      abort();
  }
  struct dated *dated = &writer->dated[writer->dated_count++];
  dated->path = strdup(writer->path);
  dated->loose = writer->entry.loose != 0;
  if (dated->path == NULL)
    abort();
  entry_times(&writer->entry, dated->times);
  return 0;
}

/* Attributes that what came in between would have changed: size, mode, times. */
static int finish_entry(struct writer *writer) {
  struct timespec times[2];
  if (writer->file < 0)
    return 0;
  if (writer->entry.kind == TREE_FILE && ftruncate(writer->file, (off_t)writer->entry.size) < 0)
    return failure_set("ftruncate", writer->path);
  if (fchmod(writer->file, writer->entry.mode & 07777) < 0)
    return failure_set("fchmod", writer->path);
  entry_times(&writer->entry, times);
  if (writer->entry.kind == TREE_DIRECTORY)
    date_later(writer);
  else if (futimens(writer->file, times) < 0)
    return failure_set("futimens", writer->path);
  close(writer->file);
  writer->file = -1;
  return 0;
}

static int copy_text(struct writer *writer, char *to, const char *from, size_t length) {
  if (length >= PATH_MAX)
    return refuse(writer, "stream", ENAMETOOLONG);
  if (memchr(from, '\0', length) != NULL)
    return refuse(writer, "stream", EINVAL);
  memcpy(to, from, length);
  to[length] = '\0';
  return 0;
}

static int read_entry(struct writer *writer, const char *payload, size_t length) {
  writer->path[0] = '\0';
  if (length < sizeof writer->entry)
    return refuse(writer, "stream", EINVAL);
  memcpy(&writer->entry, payload, sizeof writer->entry);
  const struct tree_entry *entry = &writer->entry;
  const char *texts = payload + sizeof *entry;
  if (length != sizeof *entry + entry->path_length + entry->target_length || entry->size > INT64_MAX)
    return refuse(writer, "stream", EINVAL);
  if (copy_text(writer, writer->path, texts, entry->path_length) < 0 ||
      copy_text(writer, writer->target, texts + entry->path_length, entry->target_length) < 0)
    return -1;
  if (!is_plain(writer->path) || (entry->kind == TREE_HARD_LINK && !is_plain(writer->target)))
    return refuse(writer, "stream", EINVAL);
  return 0;
}

static int take_entry(struct writer *writer, const char *payload, size_t length) {
  return finish_entry(writer) < 0 || read_entry(writer, payload, length) < 0 ? -1 : make_entry(writer);
}

/* What bears the name is gone then, with all below it; that nothing did is no error. */
static int take_remove(struct writer *writer, const char *payload, size_t length) {
  const char *name;
  if (finish_entry(writer) < 0 || copy_text(writer, writer->path, payload, length) < 0)
    return -1;
  if (writer->base == NULL || writer->path[0] == '\0' || !is_plain(writer->path))
    return refuse(writer, "stream", EINVAL);
  if (open_parent(writer, writer->path, false, &name) < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
  if (unlinkat(writer->parent, name, 0) == 0 || errno == ENOENT)
    return 0;
  return errno == EISDIR ? tree_clear(writer->parent, name, writer->path) : failure_set("unlinkat", writer->path);
}

/* Of what can be changed in place; 0 of anything else. */
static mode_t type_of(uint8_t kind) {
  return kind == TREE_FILE ? S_IFREG : kind == TREE_DIRECTORY ? S_IFDIR : kind == TREE_SYMLINK ? S_IFLNK : 0;
}

static int set_in_place(struct writer *writer, int place, unsigned which) {
  struct timespec times[2];
  struct stat status;
  uid_t uid;
  gid_t gid;
  owners(writer, &uid, &gid);
  entry_times(&writer->entry, times);
  if (fstat(place, &status) < 0)
    return failure_set("fstat", writer->path);
  if ((status.st_mode & S_IFMT) != type_of(writer->entry.kind))
    return refuse(writer, "openat", EBUSY);
  if ((which & TREE_SET_OWNER) != 0 && fchownat(place, "", uid, gid, AT_EMPTY_PATH) < 0)
    return failure_set("fchownat", writer->path);
  /* Behind the owner, whose change takes setuid and setgid away. */
  if ((which & TREE_SET_MODE) != 0 && fchmod(place, writer->entry.mode & 07777) < 0)
    return failure_set("fchmod", writer->path);
  if ((which & TREE_SET_TIMES) != 0 && utimensat(place, "", times, AT_EMPTY_PATH) < 0)
    return failure_set("utimensat", writer->path);
  return 0;
}

/* Some attributes of what is there, which stays what it is to whoever has it open. */
static int take_attributes(struct writer *writer, const char *payload, size_t length) {
  const char *name = ".";
  if (finish_entry(writer) < 0)
    return -1;
  if (writer->base == NULL || length == 0)
    return refuse(writer, "stream", EINVAL);
  unsigned which = (unsigned char)payload[0];
  if (read_entry(writer, payload + 1, length - 1) < 0)
    return -1;
  if (writer->path[0] != '\0' && open_parent(writer, writer->path, false, &name) < 0)
    return -1;
  int access = writer->entry.kind == TREE_SYMLINK ? O_PATH : O_RDONLY | O_NONBLOCK;
  int parent = writer->path[0] == '\0' ? writer->root : writer->parent;
  int place = openat(parent, name, access | O_NOFOLLOW | O_CLOEXEC, 0);
  if (place < 0)
    return failure_set("openat", writer->path);
  int result = set_in_place(writer, place, which);
  close(place);
  return result;
}

static int take_xattr(struct writer *writer, const char *payload, size_t length) {
  char name[XATTR_NAME_MAX + 1];
  uint16_t name_length;
  if (length < sizeof name_length)
    return refuse(writer, "stream", EINVAL);
  memcpy(&name_length, payload, sizeof name_length);
  if (name_length > XATTR_NAME_MAX || sizeof name_length + name_length > length)
    return refuse(writer, "stream", EINVAL);
  memcpy(name, payload + sizeof name_length, name_length);
  name[name_length] = '\0';
  /* The kernel keeps user attributes on files and directories only. */
  if (writer->file < 0)
    return refuse(writer, "fsetxattr", EPERM);
  const char *value = payload + sizeof name_length + name_length;
  if (fsetxattr(writer->file, name, value, length - sizeof name_length - name_length, 0) < 0)
    return failure_set("fsetxattr", writer->path);
  return 0;
}

/* Whether bytes may go there: into a file, and inside the size it is to have. */
static int check_range(struct writer *writer, uint64_t offset, uint64_t length) {
  uint64_t end;
  if (writer->file < 0 || writer->entry.kind != TREE_FILE || __builtin_add_overflow(offset, length, &end) ||
      end > writer->entry.size)
    return refuse(writer, "stream", EINVAL);
  return 0;
}

static int take_data(struct writer *writer, const char *payload, size_t length) {
  uint64_t offset;
  if (length < sizeof offset)
    return refuse(writer, "stream", EINVAL);
  memcpy(&offset, payload, sizeof offset);
  payload += sizeof offset;
  length -= sizeof offset;
  if (check_range(writer, offset, length) < 0)
    return -1;
  while (length > 0) {
    ssize_t written = pwrite(writer->file, payload, length, (off_t)offset);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return failure_set("pwrite", writer->path);
    payload += written;
    offset += (uint64_t)written;
    length -= (size_t)written;
  }
  return 0;
}

/* Between file systems of different kinds copy_file_range refuses; sendfile never does, but can't share extents. */
static ssize_t copy_piece(struct writer *writer, off_t *from, off_t to, size_t length) {
  if (!writer->copy_by_sendfile) {
    ssize_t count = copy_file_range(writer->setup->tree_source, from, writer->file, &to, length, 0);
    if (count >= 0 || (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS))
      return count;
    writer->copy_by_sendfile = true;
  }
  if (lseek(writer->file, to, SEEK_SET) < 0)
    return -1;
  return sendfile(writer->file, writer->setup->tree_source, from, length);
}

static int take_copy(struct writer *writer, const char *payload, size_t length) {
  struct tree_copy copy;
  if (length != sizeof copy || writer->setup->tree_source < 0)
    return refuse(writer, "stream", EINVAL);
  memcpy(&copy, payload, sizeof copy);
  if (check_range(writer, copy.offset, copy.length) < 0)
    return -1;
  if (copy.source_offset > INT64_MAX - copy.length)
    return refuse(writer, "stream", EINVAL);
  off_t from = (off_t)copy.source_offset, to = (off_t)copy.offset;
  while (copy.length > 0) {
    size_t wanted = copy.length > 1 << 30 ? 1 << 30 : (size_t)copy.length;
    ssize_t count = copy_piece(writer, &from, to, wanted);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return count < 0 ? failure_set("copy_file_range", writer->path) : refuse(writer, "copy_file_range", EIO);
    to += count;
    copy.length -= (uint64_t)count;
  }
  return 0;
}

static int date_directories(struct writer *writer) {
  while (writer->dated_count > 0) {
    struct dated *dated = &writer->dated[--writer->dated_count];
    const char *name = ".";
    strcpy(writer->path, dated->path);
    bool is_found = dated->path[0] == '\0' || open_parent(writer, dated->path, dated->loose, &name) == 0;
    int result = is_found ? utimensat(dated->path[0] == '\0' ? writer->root : writer->parent, name, dated->times,
                                      AT_SYMLINK_NOFOLLOW)
                          : -1;
    /* In a container somebody may have removed it, or put something else there. */
    if (result < 0 && writer->base == NULL)
      return is_found ? failure_set("utimensat", writer->path) : -1;
    free(dated->path);
  }
  return 0;
}

/* One record. 1 at the end of the stream. */
static int take_record(struct writer *writer) {
  struct tree_header header;
  if (need(writer, sizeof header) < 0)
    return -1;
  memcpy(&header, writer->buffer + writer->start, sizeof header);
  if (header.length > TREE_RECORD_MAXIMUM)
    return refuse(writer, "stream", EINVAL);
  if (need(writer, sizeof header + header.length) < 0)
    return -1;
  const char *payload = writer->buffer + writer->start + sizeof header;
  writer->start += sizeof header + header.length;
  switch (header.type) {
  case TREE_ENTRY:
    return take_entry(writer, payload, header.length);
  case TREE_REMOVE:
    return take_remove(writer, payload, header.length);
  case TREE_ATTRIBUTES:
    return take_attributes(writer, payload, header.length);
  case TREE_XATTR:
    return take_xattr(writer, payload, header.length);
  case TREE_DATA:
    return take_data(writer, payload, header.length);
  case TREE_COPY:
    return take_copy(writer, payload, header.length);
  case TREE_END:
    return header.length != 0                                         ? refuse(writer, "stream", EINVAL)
           : finish_entry(writer) < 0 || date_directories(writer) < 0 ? -1
                                                                      : 1;
  default:
    return refuse(writer, "stream", EINVAL);
  }
}

/* Takes the whole stream, and closes what the writer has open but for the root. */
static int take_stream(struct writer *writer, const char *descriptor) {
  writer->file = writer->parent = -1;
  writer->path[0] = '\0';
  writer->input = tree_parse_descriptor(descriptor);
  if (writer->input < 0)
    return -1;
  writer->buffer = malloc(INPUT_BYTES);
  if (writer->buffer == NULL)
    return failure_set("malloc", "stream");
  writer->dated_count = writer->start = writer->end = 0;
  if (need(writer, TREE_MAGIC_BYTES) < 0)
    return -1;
  if (memcmp(writer->buffer, TREE_MAGIC, TREE_MAGIC_BYTES) != 0)
    return refuse(writer, "stream", EINVAL);
  writer->start = TREE_MAGIC_BYTES;
  int result;
  while ((result = take_record(writer)) == 0)
    ;
  free(writer->buffer);
  close(writer->input);
  if (writer->parent >= 0)
    close(writer->parent);
  return result < 0 ? -1 : 0;
}

int tree_fill(const struct setup *setup, int root, const char *descriptor) {
  static struct writer writer;
  writer.setup = setup;
  writer.root = root;
  return take_stream(&writer, descriptor);
}

int tree_write(struct setup *setup, char **fields) {
  int root = open(fields[0], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (root < 0)
    return failure_set("open", fields[0]);
  return tree_fill(setup, root, fields[1]) < 0 ? -1 : close(root);
}

int tree_write_path(struct setup *setup, char **fields) {
  static struct writer writer;
  writer.setup = setup;
  writer.base = fields[0];
  writer.root =
      kernel_openat2(setup->root, fields[0], O_PATH | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (writer.root < 0)
    return failure_set("openat2", fields[0]);
  return take_stream(&writer, fields[1]) < 0 ? -1 : close(writer.root);
}
