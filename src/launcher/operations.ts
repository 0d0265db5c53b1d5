/**
 * The launcher's operations: what the kernel can be asked for, by name, with the fields each takes.
 *
 * `launcher --operations` prints the same table from the C side and a test compares the two. Policy (which operations, in
 * which order, with which values) is the caller's; the launcher has no defaults and reads no environment. README.md says what
 * each does.
 */
export const OPERATIONS = {
  // In the launcher's parent, before and around clone3; it then supervises. Their place in the plan means nothing.
  namespace: ['name'],
  'uid-map': ['inside', 'outside', 'holders', 'count'],
  'gid-map': ['inside', 'outside', 'holders', 'count'],
  'id-map-helper': ['newuidmap', 'newgidmap'],
  holder: ['folder', 'name', 'pid', 'start', 'wanted'],
  cgroup: ['folder'],
  'cgroup-value': ['file', 'value'],
  'cgroup-kills': ['file'],
  'cgroup-freezer': ['file', 'frozen', 'thawed'],
  'cgroup-join': ['folder'],
  stdio: ['kind', 'stdin'],
  'terminal-size': ['rows', 'columns'],
  'limits-lifted': [],
  'output-limit': ['bytes'],
  'time-limit': ['milliseconds'],
  'keep-descriptor': ['from', 'to'],
  'listening-socket': ['folder', 'name', 'descriptor'],
  'unbound-socket': ['descriptor'],
  'begin-later': ['descriptor'],
  join: ['pid', 'start'],
  'seccomp-watch': ['kind', 'untold', 'shapes'],
  outlive: [],
  listen: ['folder'],
  log: ['path', 'bytes', 'files'],
  'end-record': ['path'],
  journal: ['path', 'word'],
  'end-argument': ['word'],
  'beat-argument': ['word'],
  'beat-interval': ['milliseconds'],
  'command-variable': ['assignment'],
  'name-file': ['descriptor', 'path'],
  'bind-socket': ['folder', 'name'],
  // Where the network namespace is made, meanwhile.
  'loopback-up': [],
  'exercise-tap': ['path'],
  // In the child, in the order given. Sources are host paths; every path after root-* is resolved inside the new root.
  hostname: ['name'],
  'mount-private': [],
  'holder-memory': ['path'],
  'overlay-lower': ['path'],
  'overlay-upper': ['upper', 'work'],
  'overlay-upper-memory': ['bytes', 'inodes'],
  'root-overlay': [],
  'root-tmpfs': ['bytes', 'inodes', 'mode'],
  directory: ['path', 'mode'],
  file: ['path', 'mode', 'content'],
  symlink: ['path', 'target'],
  'mount-proc': ['path'],
  'mount-sysfs': ['path'],
  'mount-tmpfs': ['path', 'bytes', 'inodes', 'mode', 'flags'],
  'mount-tree': ['path', 'bytes', 'inodes', 'flags', 'descriptor'],
  'return-tree': ['descriptor'],
  'mount-devpts': ['path'],
  'mount-console': ['path'],
  'mount-mqueue': ['path'],
  'mount-cgroup': ['path', 'hierarchy'],
  bind: ['source', 'path', 'flags'],
  'mount-file': ['path', 'mode', 'content', 'flags'],
  mask: ['path'],
  'read-only': ['path'],
  'root-read-only': [],
  sysctl: ['path', 'value'],
  'exercise-directory': ['path'],
  'switch-root': [],
  'open-terminal': ['path'],
  // In the guest-to-be, in the order given, after everything above.
  rlimit: ['name', 'soft', 'hard'],
  umask: ['mode'],
  'oom-score-adjust': ['value'],
  'working-directory': ['path'],
  group: ['gid'],
  user: ['uid', 'gid'],
  capabilities: ['bounding', 'held'],
  'no-new-privileges': [],
  'landlock-scope': ['name'],
  seccomp: [],
  // Instead of a guest: trees, inside a user namespace that holds nothing else.
  'file-read': ['path', 'descriptor', 'bytes'],
  'private-mounts': [],
  unmount: ['path'],
  'root-alone': [],
  'path-stat': ['path', 'descriptor'],
  'path-read': ['path', 'descriptor'],
  'path-write': ['path', 'descriptor'],
  hold: ['listener', 'seconds', 'descriptor'],
  'tree-make': ['path'],
  'tree-substitute': ['what'],
  'tree-source': ['descriptor'],
  'tree-write': ['path', 'descriptor'],
  'tree-read': ['path', 'descriptor'],
  'tree-list': ['path', 'descriptor'],
  'tree-move': ['from', 'to'],
  'tree-remove': ['path'],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** Name of an operation with a fixed number of fields. */
export type OperationName = keyof typeof OPERATIONS

/** Values for each field of an operation, in order. A Uint8Array is written byte for byte; it must hold no NUL. */
type Values<Fields extends readonly string[]> = { readonly [Index in keyof Fields]: FieldValue }

/** One field. Numbers are written in decimal: modes, which the launcher reads as octal, are given by {@link octal}. */
export type FieldValue = string | number | bigint | Uint8Array

/** One step of a plan: an operation and its fields in the order of {@link OPERATIONS}. */
export type Operation = {
  [Name in OperationName]: readonly [name: Name, ...values: Values<(typeof OPERATIONS)[Name]>]
}[OperationName]

/** What the launcher is to do: operations in order, then the program, or none when the operations are all. */
export interface Plan {
  readonly operations: readonly Operation[]
  readonly exec: { readonly args: readonly string[]; readonly env: readonly string[] } | null
}

/** A file mode as the launcher reads it: `octal(0o755)` is `0755`. */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
