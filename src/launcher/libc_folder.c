/* Directories, entry by entry. struct dirent is what getdents64 gives. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES_BYTES 32768

struct __dirstream {
  int descriptor;
  long at, end;
  _Alignas(struct dirent) char entries[ENTRIES_BYTES];
};

DIR *fdopendir(int descriptor) {
  DIR *folder = malloc(sizeof *folder);
  if (folder == NULL) {
    errno = ENOMEM;
    return NULL;
  }
  folder->descriptor = descriptor;
  folder->at = folder->end = 0;
  return folder;
}

DIR *opendir(const char *path) {
  int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return NULL;
  DIR *folder = fdopendir(descriptor);
  if (folder == NULL)
    close(descriptor);
  return folder;
}

struct dirent *readdir(DIR *folder) {
  if (folder->at >= folder->end) {
    folder->at = 0;
    folder->end = syscall(SYS_getdents64, folder->descriptor, folder->entries, sizeof folder->entries);
    if (folder->end <= 0)
      return NULL;
  }
  struct dirent *entry = (struct dirent *)(folder->entries + folder->at);
  folder->at += entry->d_reclen;
  return entry;
}

int closedir(DIR *folder) {
  int descriptor = folder->descriptor;
  free(folder);
  return close(descriptor);
}
