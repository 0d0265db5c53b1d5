/* The bytes of a tree stream; README.md has the table, tree-stream.ts the other side. */
#ifndef WOLFFIA_TREE_STREAM_H
#define WOLFFIA_TREE_STREAM_H

#include <limits.h>
#include <stdint.h>

#define TREE_MAGIC          "WOLFTREE"
#define TREE_MAGIC_BYTES    8
#define TREE_DATA_BYTES     (1024 * 1024)
#define TREE_RECORD_MAXIMUM (TREE_DATA_BYTES + 4096)

enum tree_record {
  TREE_ENTRY = 'E',
  TREE_REMOVE = 'R',
  TREE_ATTRIBUTES = 'A',
  TREE_XATTR = 'X',
  TREE_SEGMENTS = 'S',
  TREE_DATA = 'D',
  TREE_COPY = 'C',
  TREE_END = 'F',
  TREE_BROKEN = 'B'
};

/* Of one record; 64 KiB. */
#define TREE_SEGMENTS_MAXIMUM 4096

enum tree_kind {
  TREE_DIRECTORY = 1,
  TREE_FILE,
  TREE_SYMLINK,
  TREE_HARD_LINK,
  TREE_FIFO,
  TREE_CHARACTER_DEVICE,
  TREE_BLOCK_DEVICE,
  TREE_SOCKET,
};

/* Which attributes an 'A' record sets. */
enum tree_attributes { TREE_SET_MODE = 1, TREE_SET_OWNER = 2, TREE_SET_TIMES = 4 };

/* Before each payload. */
struct __attribute__((packed)) tree_header {
  uint8_t type;
  uint32_t length;
};

/* Before an entry's path and target. */
struct __attribute__((packed)) tree_entry {
  uint8_t kind;
  uint8_t loose; /* path-write: the way to its parent is not the stream's, and may lead through symlinks */
  uint16_t mode;
  uint32_t uid, gid;
  uint16_t path_length, target_length;
  uint64_t size;
  int64_t mtime_seconds, atime_seconds;
  uint32_t mtime_nanoseconds, atime_nanoseconds;
  uint32_t major, minor;
};

struct __attribute__((packed)) tree_copy {
  uint64_t offset, source_offset, length;
};

struct __attribute__((packed)) tree_segment {
  uint64_t position, length;
};

_Static_assert(sizeof(struct tree_header) == 5 && sizeof(struct tree_entry) == 56, "layout of the stream");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the stream is little-endian, and so is every machine this is built for");

/* How a path of a stream is looked up below the tree's root: nowhere else. */
#define TREE_RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

#endif
