/* Trees that outlast their container by a moment: kept by its parent, and given back as streams when it has ended. */
#ifndef WOLFFIA_TREE_RETURN_H
#define WOLFFIA_TREE_RETURN_H

struct container;
struct received;
struct setup;

#define RETURNS_MAXIMUM 64

struct returns {
  int user_namespace; /* whose ids the trees have */
  unsigned count;
  struct {
    int tree, output;
  } items[RETURNS_MAXIMUM];
};

/* `return-tree DESCRIPTOR`, in the child: hands the tree that was mounted last to the parent. */
int tree_return(struct setup *setup, char **fields);

/* In the parent: keeps what the child has handed over. -1 with the failure set. */
int tree_take(struct returns *returns, const struct container *container, const struct received *received);

/* Writes each to its descriptor and closes that, once nobody is left who could change them. A failure is told there. */
void tree_give_back(struct returns *returns);

#endif
