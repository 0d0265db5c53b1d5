#include "../attack.h"

#include <dirent.h>

int main(void) {
  int count = 0;
  DIR *folder = opendir("/proc");
  if (folder == NULL)
    return NOT_HERE;
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
    count += strspn(entry->d_name, "0123456789") == strlen(entry->d_name);
  /* Itself, an init, and a shell that may have started it. */
  must_fail("processes of others", count <= 3 ? -1 : 0);
  return held();
}
