/* A container that is somebody's only after its program has begun: what its parent does besides waiting is told later.
 */
#ifndef WOLFFIA_BEGIN_H
#define WOLFFIA_BEGIN_H

struct setup;
struct supervision;

/* `begin-later DESCRIPTOR`: a further plan comes there, for the command `begin`. */
int begin_set(struct setup *setup, char **fields);

/* `name-file DESCRIPTOR PATH`: an open file that has no name gets this one, in place of whatever
 * bears it. */
int begin_name_file(struct setup *setup, char **fields);

/* Carries the command `begin` out, once. -1 with the failure set. */
int begin_container(struct supervision *state);

#endif
