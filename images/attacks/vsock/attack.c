#include "../attack.h"

#include <sys/socket.h>

int main(void) {
  must_fail("socket(AF_VSOCK)", socket(AF_VSOCK, SOCK_STREAM, 0));
  return held();
}
