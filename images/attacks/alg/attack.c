#include "../attack.h"

#include <sys/socket.h>

int main(void) {
  must_fail("socket(AF_ALG)", socket(AF_ALG, SOCK_SEQPACKET, 0));
  return held();
}
