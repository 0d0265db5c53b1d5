#include "../attack.h"

#include <netinet/in.h>
#include <sys/socket.h>

int main(void) {
  must_fail("socket(AF_PACKET)", socket(AF_PACKET, SOCK_RAW, 0));
  must_fail("socket(AF_INET, SOCK_RAW)", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  must_fail("socket(AF_KEY)", socket(15, SOCK_RAW, 2));
  must_fail("socket(AF_XDP)", socket(44, SOCK_RAW, 0));
  must_fail("socket(AF_NETLINK, NETLINK_NETFILTER)", socket(AF_NETLINK, SOCK_RAW, 12));
  return held();
}
