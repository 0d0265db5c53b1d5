/* The container's mount namespace may be gone when its trees are wanted, and with it everybody who could read them: the
 * parent holds a mount of each that is in no namespace, and the user namespace in which their files have owners. */
#include "tree_return.h"

#include "channel.h"
#include "container.h"
#include "failure.h"
#include "kernel.h"
#include "setup.h"
#include "tree.h"

#include <errno.h>
#include <linux/nsfs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

int tree_return(struct setup *setup, char **fields) {
  struct event event = {0};
  char kind = MESSAGE_TREE;
  int output = tree_parse_descriptor(fields[0]);
  if (output < 0)
    return -1;
  if (setup->tree < 0)
    return failure_invalid("needs mount-tree");
  event_raw(&event, &kind, 1);
  event_raw(&event, fields[0], strlen(fields[0]) + 1);
  if (channel_send_event(setup->channel, &event, setup->tree) < 0)
    return failure_set("sendmsg", fields[0]);
  close(setup->tree);
  setup->tree = -1;
  free(event.bytes);
  return close(output);
}

int tree_take(struct returns *returns, const struct container *container, const struct received *received) {
  failure_begin("return-tree");
  int output = tree_parse_descriptor(received->event.bytes);
  if (output < 0)
    return -1;
  if (returns->count == RETURNS_MAXIMUM)
    return failure_invalid("too many trees");
  if (returns->count == 0)
    returns->user_namespace = ioctl(container->mount_namespace, NS_GET_USERNS);
  if (returns->user_namespace < 0)
    return failure_set("ioctl", "NS_GET_USERNS");
  returns->items[returns->count].tree = received->descriptor;
  returns->items[returns->count++].output = output;
  return 0;
}

void tree_give_back(struct returns *returns) {
  for (unsigned index = 0; index < returns->count; index++) {
    int output = returns->items[index].output;
    pid_t giver = fork();
    if (giver == 0) {
      tree_give(returns->user_namespace, returns->items[index].tree, output);
      _exit(0);
    }
    /* Its reader sees a stream that ends too early when there is none. */
    while (giver > 0 && waitpid(giver, NULL, 0) < 0 && errno == EINTR)
      ;
    close(output);
  }
}
