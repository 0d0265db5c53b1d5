// Runs every program of the folder `corpus` beside it, one after the other and each as a child of its own, and says how
// it ended. A line `attack NAME CODE` for each, 128+n after a signal; the last is `end`.
#include <stdio.h>

#ifdef __wasm__

int main(void) {
  return 2;
}

#else

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 256, PATH_BYTES = 4096, PATIENCE_S = 20 };

static int by_name(const void *left, const void *right) {
  return strcmp(*(char *const *)left, *(char *const *)right);
}

// What it prints is not asked for.
static int code_of(const char *path) {
  pid_t child = fork();
  if (child == 0) {
    alarm(PATIENCE_S);
    if (freopen("/dev/null", "w", stdout) == NULL)
      close(1);
    execl(path, path, (char *)NULL);
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0)
    return 127;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv) {
  static char *names[MOST];
  char corpus[PATH_BYTES], path[2 * PATH_BYTES];
  int count = 0;
  const char *name = argc == 1 ? strrchr(argv[0], '/') : NULL;
  if (name == NULL || name - argv[0] > PATH_BYTES / 2)
    return 2;
  snprintf(corpus, sizeof corpus, "%.*s/corpus", (int)(name - argv[0]), argv[0]);
  DIR *folder = opendir(corpus);
  if (folder == NULL)
    return 2;
  for (struct dirent *entry; count < MOST && (entry = readdir(folder)) != NULL;)
    if (entry->d_name[0] != '.')
      names[count++] = strdup(entry->d_name);
  // No descriptor of this program's is to be taken for one that a runtime has left open.
  closedir(folder);
  qsort(names, (size_t)count, sizeof names[0], by_name);
  for (int i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%s", corpus, names[i]);
    fflush(stdout);
    int code = code_of(path);
    printf("attack %s %d\n", names[i], code);
  }
  printf("end\n");
  return 0;
}

#endif
