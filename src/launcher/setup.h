/* What a plan has settled so far: written by operations, read by later ones and by the steps around them. */
#ifndef WOLFFIA_SETUP_H
#define WOLFFIA_SETUP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

/* The kernel takes no more extents in one map. */
#define SETUP_EXTENTS 340
#define SETUP_KEEPS   128
/* NGROUPS_MAX is 65536; a plan that needs more than this is a mistake. */
#define SETUP_GROUPS 1024
/* More kernel parameters of namespaces than there are. */
#define SETUP_SYSCTLS 256
/* Of a command that the plan names, and of its environment. */
#define SETUP_WORDS 64
/* OVL_MAX_STACK. */
#define SETUP_LOWERS 500
/* More than there are hierarchies of control groups. */
#define SETUP_CGROUPS 16

/* Descriptors the caller gives; see README. */
enum { DESCRIPTOR_PLAN = 3, DESCRIPTOR_CONTROL = 4, DESCRIPTOR_SECCOMP = 5, DESCRIPTOR_FIRST = 6 };

#define SETUP_NO_LIMIT UINT64_MAX

struct extent {
  uint32_t inside, outside, holders, count; /* holders: what `outside` is in a holder's user namespace */
};

struct id_map {
  unsigned count;
  struct extent extents[SETUP_EXTENTS];
};

struct keep {
  int from, to;
};

/* A list that ends in NULL. */
struct words {
  unsigned count;
  char *items[SETUP_WORDS + 1];
};

enum watch_kind { WATCH_NOTHING, WATCH_REFUSED, WATCH_ALLOWED };

enum stdio_kind { STDIO_NONE, STDIO_PIPES, STDIO_TERMINAL };

struct setup {
  /* Said before clone3; the child reads the same plan and knows them too. */
  uint64_t namespaces;
  char *newuidmap, *newgidmap;
  enum stdio_kind stdio;
  bool stdin_open, stdin_kept; /* kept: it stays open when the caller has no more to say */
  struct winsize terminal_size;
  uint64_t output_limit, time_limit;
  unsigned keep_count;
  int listener; /* a socket for the guest, where the plan says; -1 for none */
  bool unbound; /* it listens nowhere yet */
  int later;    /* where the parent's part of the plan comes, once the program has begun; -1 for nowhere */
  pid_t joined; /* whose namespaces are joined instead of made; 0 for nobody's */
  int joined_process;
  pid_t holder; /* below whose user namespace it is made, 0 for nobody's */
  int holder_process;
  int memory; /* a mount of the holder's memory, for the child; 0 or -1 for none */
  bool memory_wanted;
  char *cgroups[SETUP_CGROUPS]; /* those that are made first */
  unsigned cgroup_count, cgroups_made;
  char *cgroup_kills; /* the file that counts kills for memory, or NULL */
  char *cgroup_freezer, *cgroup_frozen,
      *cgroup_thawed; /* the file that stops all in it and the words for it, or NULL */
  bool resumed;       /* read again by the copy that goes on inside */

  /* What the parent does besides waiting; NULL or none for what it does not. */
  bool outlives; /* from the start nobody's */
  char *listen_folder, *end_record, *journal, *journal_word, *log_path;
  uint64_t log_bytes, beat_interval;
  unsigned log_files;

  enum watch_kind watch; /* which system calls are told of */
  const char *watch_untold, *watch_shapes;

  /* The child's; -1 while there is none. */
  int channel;     /* to the launcher's parent */
  int network;     /* where the network namespace comes from; 0 when none is to come */
  int proc;        /* the host's /proc */
  int root;        /* where container paths are resolved */
  int staging;     /* a tmpfs below which an overlay is put together */
  int upper, work; /* of the overlay to come */
  int begun;       /* where init says that it has given up what it does not need */
  int master;      /* the guest's terminal */
  int mask_file;   /* /dev/null as it is mounted over masked files */
  int mask_folder; /* the empty directory mounted over masked ones */
  int *sources;    /* detached copies of what `bind` names, in order */
  int *next_source;
  unsigned file_count; /* files made in staging to be mounted */
  unsigned lower_count;
  bool upper_in_memory;
  unsigned sysctl_count;

  /* The guest-to-be's. */
  unsigned group_count;
  bool seccomp_wanted, landlock_wanted;
  struct sock_fprog seccomp;
  struct event *receipt; /* what of it has been collected */
  int status;            /* /proc/self/status, the part that comes last; -1 before the rest is collected */
  int landlock_abi;
  uint64_t landlock_scopes;
  bool substitute_owners, substitute_devices;
  int tree_source;
  int tree; /* the one last mounted, for who wants it back */

  /* What is large, where it costs no page that is not used. */
  struct id_map uids, gids;
  int lowers[SETUP_LOWERS];
  struct words end_command, beat_command, command_environment;
  struct keep keeps[SETUP_KEEPS];
  char *sysctls[SETUP_SYSCTLS]; /* below /proc/sys, as they were set */
  gid_t groups[SETUP_GROUPS];
};

/* Nothing said yet, of one that is all zeros, as static memory is: to write zeros there would touch every page of it.
 */
void setup_clear(struct setup *setup);

#endif
