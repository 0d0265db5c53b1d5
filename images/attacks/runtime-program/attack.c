#include "../attack.h"

#include <dirent.h>
#include <sys/stat.h>

int main(void) {
  struct stat own, other;
  DIR *folder = opendir("/proc");
  if (folder == NULL || stat("/proc/self/exe", &own) < 0)
    return NOT_HERE;
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
    if (stat(path, &other) == 0 && (other.st_ino != own.st_ino || other.st_dev != own.st_dev))
      must_fail(path, open(path, O_WRONLY));
  }
  return held();
}
