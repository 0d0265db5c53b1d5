/* Memory in blocks of powers of two, cut from larger pieces and kept for the next of their size. */
#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LEAST_SHIFT 5
#define SIZES       (64 - LEAST_SHIFT)
#define PIECE_BYTES ((size_t)64 * 1024)

/* Before every block; the next free one of its size while it is free. */
union block {
  size_t size;
  union block *next;
  alignas(max_align_t) char alignment;
};

static union block *free_blocks[SIZES];
static char *piece, *piece_end;

static int size_of(size_t bytes) {
  int shift = LEAST_SHIFT;
  while (shift < 63 && (size_t)1 << shift < bytes)
    shift++;
  return shift - LEAST_SHIFT;
}

static void *take(size_t bytes) {
  if ((size_t)(piece_end - piece) < bytes) {
    size_t length = bytes < PIECE_BYTES ? PIECE_BYTES : bytes;
    void *fresh = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED)
      return NULL;
    /* What a piece of its own takes does not end the common one. */
    if (bytes >= PIECE_BYTES)
      return fresh;
    piece = fresh;
    piece_end = piece + length;
  }
  void *taken = piece;
  piece += bytes;
  return taken;
}

void *malloc(size_t bytes) {
  if (bytes > PTRDIFF_MAX / 2) {
    errno = ENOMEM;
    return NULL;
  }
  int size = size_of(bytes + sizeof(union block));
  union block *block = free_blocks[size];
  if (block != NULL)
    free_blocks[size] = block->next;
  else
    block = take((size_t)1 << (size + LEAST_SHIFT));
  if (block == NULL)
    return NULL;
  block->size = (size_t)size;
  return block + 1;
}

void free(void *memory) {
  if (memory == NULL)
    return;
  union block *block = (union block *)memory - 1;
  size_t size = block->size;
  block->next = free_blocks[size];
  free_blocks[size] = block;
}

void *realloc(void *memory, size_t bytes) {
  if (memory == NULL)
    return malloc(bytes);
  size_t room = ((size_t)1 << (((union block *)memory - 1)->size + LEAST_SHIFT)) - sizeof(union block);
  if (bytes <= room)
    return memory;
  void *larger = malloc(bytes);
  if (larger == NULL)
    return NULL;
  memcpy(larger, memory, room);
  free(memory);
  return larger;
}
