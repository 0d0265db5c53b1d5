#include "../attack.h"

int main(void) {
  struct {
    struct file_handle header;
    unsigned char bytes[128];
  } handle = {.header.handle_bytes = 128};
  int mount;
  if (name_to_handle_at(AT_FDCWD, "/", &handle.header, &mount, 0) < 0) {
    handle.header.handle_bytes = 8;
    handle.header.handle_type = 1;
    handle.bytes[0] = 2; /* the root of an ext4 */
  }
  int folder = open("/", O_RDONLY | O_DIRECTORY);
  must_fail("open_by_handle_at", open_by_handle_at(folder, &handle.header, O_RDONLY));
  return held();
}
