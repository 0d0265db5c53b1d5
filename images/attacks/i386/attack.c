#include "../attack.h"

#include <sys/wait.h>

int main(void) {
#ifdef __x86_64__
  pid_t child = fork();
  if (child == 0) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory"); /* getpid */
    _exit(result > 0 ? REACHED : HELD);
  }
  int status;
  waitpid(child, &status, 0);
  must_fail("getpid by int 0x80", WIFEXITED(status) && WEXITSTATUS(status) == REACHED ? 0 : -1);
  return held();
#else
  return NOT_HERE;
#endif
}
