#include "operation.h"

#include "begin.h"
#include "callers.h"
#include "cgroup.h"
#include "command.h"
#include "ending.h"
#include "hold.h"
#include "kernel.h"
#include "limit.h"
#include "listener.h"
#include "log.h"
#include "make.h"
#include "mount.h"
#include "namespace.h"
#include "nest.h"
#include "network.h"
#include "privilege.h"
#include "root.h"
#include "supervise.h"
#include "sysctl.h"
#include "terminal.h"
#include "tree.h"
#include "tree_return.h"
#include "watch.h"

#include <stdio.h>
#include <string.h>

static const struct operation operations[] = {
    {"namespace", 1, PHASE_PARENT, 0, namespace_add},
    {"uid-map", 4, PHASE_PARENT, 0, namespace_map_uid},
    {"gid-map", 4, PHASE_PARENT, 0, namespace_map_gid},
    {"id-map-helper", 2, PHASE_PARENT, 0, namespace_set_helper},
    {"holder", 5, PHASE_PARENT, CLONE_NEWUSER, nest_set_holder},
    {"cgroup", 1, PHASE_PARENT, 0, cgroup_make},
    {"cgroup-value", 2, PHASE_PARENT, 0, cgroup_set},
    {"cgroup-kills", 1, PHASE_PARENT, 0, cgroup_set_kills},
    {"cgroup-freezer", 3, PHASE_PARENT, 0, cgroup_set_freezer},
    {"cgroup-join", 1, PHASE_PARENT, 0, cgroup_join},
    {"stdio", 2, PHASE_PARENT, 0, terminal_set_stdio},
    {"terminal-size", 2, PHASE_PARENT, 0, terminal_set_size},
    {"limits-lifted", 0, PHASE_PARENT, 0, limit_lift},
    {"output-limit", 1, PHASE_PARENT, 0, limit_output},
    {"time-limit", 1, PHASE_PARENT, 0, limit_time},
    {"keep-descriptor", 2, PHASE_PARENT, 0, limit_keep_descriptor},
    {"listening-socket", 3, PHASE_PARENT, 0, listener_give},
    {"unbound-socket", 1, PHASE_PARENT, 0, listener_give_unbound},
    {"begin-later", 1, PHASE_PARENT, 0, begin_set},
    {"join", 2, PHASE_PARENT, 0, namespace_set_joined},
    {"seccomp-watch", 3, PHASE_PARENT, 0, watch_set},
    {"outlive", 0, PHASE_PARENT, 0, supervise_set_outliving},
    {"listen", 1, PHASE_SUPERVISION, 0, callers_set},
    {"log", 3, PHASE_SUPERVISION, 0, log_set},
    {"end-record", 1, PHASE_SUPERVISION, 0, ending_set_record},
    {"journal", 2, PHASE_SUPERVISION, 0, ending_set_journal},
    {"end-argument", 1, PHASE_SUPERVISION, 0, command_add_end},
    {"beat-argument", 1, PHASE_SUPERVISION, 0, command_add_beat},
    {"beat-interval", 1, PHASE_SUPERVISION, 0, command_set_interval},
    {"command-variable", 1, PHASE_SUPERVISION, 0, command_add_variable},
    {"name-file", 2, PHASE_SUPERVISION, 0, begin_name_file},
    {"bind-socket", 2, PHASE_SUPERVISION, 0, listener_bind_given},

    {"hostname", 1, PHASE_CHILD, CLONE_NEWUTS, namespace_set_hostname},
    {"loopback-up", 0, PHASE_NETWORK, CLONE_NEWNET, network_raise_loopback},
    {"exercise-tap", 1, PHASE_NETWORK, CLONE_NEWNET, network_exercise_tap},
    {"mount-private", 0, PHASE_CHILD, CLONE_NEWNS, mount_make_private},
    {"holder-memory", 1, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, nest_mount_memory},
    {"overlay-lower", 1, PHASE_CHILD, CLONE_NEWNS, root_add_lower},
    {"overlay-upper", 2, PHASE_CHILD, CLONE_NEWNS, root_set_upper},
    {"overlay-upper-memory", 2, PHASE_CHILD, CLONE_NEWNS, root_set_upper_in_memory},
    {"root-overlay", 0, PHASE_CHILD, CLONE_NEWNS, root_mount_overlay},
    {"root-tmpfs", 3, PHASE_CHILD, CLONE_NEWNS, root_mount_tmpfs},
    {"directory", 2, PHASE_CHILD, CLONE_NEWNS, make_directory},
    {"file", 3, PHASE_CHILD, CLONE_NEWNS, make_file},
    {"symlink", 2, PHASE_CHILD, CLONE_NEWNS, make_symlink},
    {"mount-proc", 1, PHASE_CHILD, CLONE_NEWNS, mount_proc},
    {"mount-sysfs", 1, PHASE_CHILD, CLONE_NEWNS | CLONE_NEWNET, mount_sysfs},
    {"mount-tmpfs", 5, PHASE_CHILD, CLONE_NEWNS, mount_tmpfs},
    {"mount-tree", 5, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, mount_tree},
    {"return-tree", 1, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, tree_return},
    {"mount-devpts", 1, PHASE_CHILD, CLONE_NEWNS, mount_devpts},
    {"mount-console", 1, PHASE_CHILD, CLONE_NEWNS, mount_console},
    {"mount-mqueue", 1, PHASE_CHILD, CLONE_NEWNS, mount_mqueue},
    {"mount-cgroup", 2, PHASE_CHILD, CLONE_NEWNS, mount_cgroup},
    {"bind", 3, PHASE_CHILD, CLONE_NEWNS, mount_bind},
    {"mount-file", 4, PHASE_CHILD, CLONE_NEWNS, mount_file},
    {"mask", 1, PHASE_CHILD, CLONE_NEWNS, mount_mask},
    {"read-only", 1, PHASE_CHILD, CLONE_NEWNS, mount_read_only},
    {"root-read-only", 0, PHASE_CHILD, CLONE_NEWNS, root_make_read_only},
    {"sysctl", 2, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC, sysctl_set},
    {"exercise-directory", 1, PHASE_CHILD, CLONE_NEWNS, make_exercise},
    {"switch-root", 0, PHASE_CHILD, CLONE_NEWNS, root_switch},
    {"open-terminal", 1, PHASE_CHILD, CLONE_NEWNS, terminal_open_found},

    {"rlimit", 3, PHASE_GUEST, 0, limit_resource},
    {"umask", 1, PHASE_GUEST, 0, limit_umask},
    {"oom-score-adjust", 1, PHASE_GUEST, 0, limit_oom_score},
    {"working-directory", 1, PHASE_GUEST, 0, privilege_enter_directory},
    {"group", 1, PHASE_GUEST, 0, privilege_add_group},
    {"user", 2, PHASE_GUEST, 0, privilege_become_user},
    {"capabilities", 2, PHASE_GUEST, 0, privilege_limit_capabilities},
    {"no-new-privileges", 0, PHASE_GUEST, 0, privilege_forbid_gain},
    {"landlock-scope", 1, PHASE_GUEST, 0, privilege_scope},
    {"seccomp", 0, PHASE_GUEST, 0, privilege_filter},

    {"file-read", 3, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, tree_read_file},
    {"private-mounts", 0, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, mount_copy_all},
    {"unmount", 1, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, mount_take_off},
    {"root-alone", 0, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, mount_keep_root},
    {"path-stat", 2, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, tree_stat_path},
    {"path-read", 2, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, tree_read_path},
    {"path-write", 2, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, tree_write_path},
    {"hold", 3, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, hold_begin},
    {"tree-make", 1, PHASE_CHILD, CLONE_NEWUSER | CLONE_NEWNS, tree_make},
    {"tree-substitute", 1, PHASE_CHILD, CLONE_NEWUSER, tree_substitute},
    {"tree-source", 1, PHASE_CHILD, CLONE_NEWUSER, tree_set_source},
    {"tree-write", 2, PHASE_CHILD, CLONE_NEWUSER, tree_write},
    {"tree-read", 2, PHASE_CHILD, CLONE_NEWUSER, tree_read},
    {"tree-list", 2, PHASE_CHILD, CLONE_NEWUSER, tree_list},
    {"tree-move", 2, PHASE_CHILD, CLONE_NEWUSER, tree_move},
    {"tree-remove", 1, PHASE_CHILD, CLONE_NEWUSER, tree_remove},
};

#define OPERATION_COUNT (sizeof operations / sizeof *operations)

const struct operation *operation_find(const char *name) {
  for (size_t index = 0; index < OPERATION_COUNT; index++)
    if (strcmp(operations[index].name, name) == 0)
      return &operations[index];
  return NULL;
}

int operation_print_all(void) {
  char line[64];
  for (size_t index = 0; index < OPERATION_COUNT; index++) {
    int length = snprintf(line, sizeof line, "%s %u\n", operations[index].name, operations[index].fields);
    if (write(1, line, (size_t)length) != length)
      return 1;
  }
  return 0;
}
