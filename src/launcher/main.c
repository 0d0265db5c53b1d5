/* The launcher: does what a plan says, says what happened. README.md describes the protocol. */
#include "child.h"
#include "operation.h"
#include "spawn.h"
#include "supervise.h"

#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc > 0 && strcmp(argv[0], CHILD_NAME) == 0)
    child_resume(argc, argv);
  if (argc == 2 && strcmp(argv[1], "--operations") == 0)
    return operation_print_all();
  if (argc == 2 && strcmp(argv[1], "--spawn") == 0)
    spawn_run();
  if (argc == 1)
    return supervise_run();
  static const char usage[] =
      "launcher: reads a plan from descriptor 3 and speaks on descriptor 4; see wolffia's src/launcher/README.md\n";
  return write(2, usage, sizeof usage - 1) < 0 ? 1 : 2;
}
