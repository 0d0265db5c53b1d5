/* Kernel parameters that a namespace has for itself. */
#ifndef WOLFFIA_SYSCTL_H
#define WOLFFIA_SYSCTL_H

struct setup;

int sysctl_set(struct setup *setup, char **fields);

#endif
