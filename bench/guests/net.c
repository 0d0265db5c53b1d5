// A guest's network: `net stream MIB` and `net turns COUNT` over its own loopback, `net host PORT COUNT` to the
// host's, and `net serve`, which answers that one from outside.
#include "clock.h"

#ifdef __wasm__

int main(void) {
  printf("preview1 has no sockets\n");
  return LACKING;
}

#else

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024, BLOCKS_IN_MIB = 16, BACKLOG = 16 };

static char block[BLOCK_BYTES];

static int no_network(const char *what) {
  printf("no network: %s: %s\n", what, strerror(errno));
  return LACKING;
}

// A socket that listens on loopback, its port; -1 where there is none.
static int listening(uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (server < 0 || bind(server, (struct sockaddr *)&address, length) < 0 || listen(server, BACKLOG) < 0 ||
      getsockname(server, (struct sockaddr *)&address, &length) < 0)
    return -1;
  *port = ntohs(address.sin_port);
  return server;
}

static int connected(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int client = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof address) < 0)
    return -1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return client;
}

// Gives back whatever comes, to the end.
static int answer(int connection) {
  int yes = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  for (ssize_t length; (length = read(connection, block, sizeof block)) > 0;)
    if (write(connection, block, (size_t)length) != length)
      return 1;
  return 0;
}

static int turns(int connection, long count) {
  int64_t start_ns = now_ns();
  for (long i = 0; i < count; i++)
    if (write(connection, "x", 1) != 1 || read(connection, block, 1) != 1)
      return 1;
  return report_ns(start_ns);
}

static int drain(int connection, long mib) {
  int64_t start_ns = now_ns();
  for (long left = mib * BLOCKS_IN_MIB * BLOCK_BYTES; left > 0;) {
    ssize_t length = read(connection, block, sizeof block);
    if (length <= 0)
      return 1;
    left -= length;
  }
  return report_ns(start_ns);
}

static int pour(int connection, long mib) {
  for (long i = 0; i < mib * BLOCKS_IN_MIB; i++)
    for (size_t done = 0; done < sizeof block;) {
      ssize_t length = write(connection, block + done, sizeof block - done);
      if (length <= 0)
        return 1;
      done += (size_t)length;
    }
  return 0;
}

// Both ends are the guest's: a child listens, and either pours or answers.
static int inside(bool is_stream, long amount) {
  uint16_t port;
  int server = listening(&port);
  if (server < 0)
    return no_network("listen");
  pid_t child = fork();
  if (child == 0) {
    int connection = accept(server, NULL, NULL);
    _exit(connection < 0 ? 1 : is_stream ? pour(connection, amount) : answer(connection));
  }
  int client = connected(port);
  if (client < 0) {
    kill(child, SIGKILL);
    return no_network("connect");
  }
  int status = is_stream ? drain(client, amount) : turns(client, amount);
  close(client);
  waitpid(child, NULL, 0);
  return status;
}

static int host(uint16_t port, long count) {
  int client = connected(port);
  return client < 0 ? no_network("connect") : turns(client, count);
}

// Its port in a line, then every caller, as long as somebody holds its standard input open.
static int serve(void) {
  uint16_t port;
  int server = listening(&port);
  if (server < 0)
    return no_network("listen");
  signal(SIGCHLD, SIG_IGN);
  printf("%u\n", port);
  fflush(stdout);
  if (fork() == 0)
    for (;;) {
      int connection = accept(server, NULL, NULL);
      if (connection < 0)
        return 1;
      if (fork() == 0)
        _exit(answer(connection));
      close(connection);
    }
  while (read(0, block, sizeof block) > 0)
    continue;
  return kill(0, SIGKILL);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "serve") == 0)
    return setpgid(0, 0) == 0 ? serve() : 1;
  if (argc == 3)
    return inside(strcmp(argv[1], "stream") == 0, strtol(argv[2], NULL, 10));
  if (argc == 4 && strcmp(argv[1], "host") == 0)
    return host((uint16_t)strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10));
  return 2;
}

#endif
