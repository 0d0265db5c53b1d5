/** The table of what a native guest must not be able to do (SECURITY.md), as test/fixtures/attacks.c asks for it, a row each. */

/** The answers that SECURITY.md promises, by the names that test/fixtures/attacks.c prints. */
export const ANSWERS: Readonly<Record<string, RegExp>> = {
  descriptors: /^3$/,
  processes: /^2$/,
  ...Object.fromEntries(
    ['user', 'mount', 'pid', 'net', 'ipc', 'uts', 'cgroup'].flatMap((name) => [
      [`unshare-${name}`, /^EPERM$/],
      [`clone-${name}`, /^EPERM$/],
    ]),
  ),
  clone3: /^ENOSYS$/,
  ...Object.fromEntries(
    [
      'setns mount remount umount fsopen open_tree move_mount mount_setattr pivot_root',
      'bpf perf_event_open io_uring_setup io_uring_enter io_uring_register userfaultfd keyctl add_key request_key kexec_load kexec_file_load',
      'init_module finit_module delete_module reboot swapon swapoff open_by_handle_at syslog quotactl acct settimeofday vhangup personality',
      'TIOCSTI TIOCLINUX TIOCSETD TIOCSTI-high mknod-null mknod-disk sethostname socket-raw socket-raw6',
    ]
      .join(' ')
      .split(' ')
      .map((name) => [name, /^EPERM$/]),
  ),
  ...Object.fromEntries(['vsock', 'alg', 'packet', 'key', 'xdp'].map((family) => [`socket-${family}`, /^EAFNOSUPPORT$/])),
  'socket-netfilter': /^EPROTONOSUPPORT$/,
  'socket-sctp': /^EPROTONOSUPPORT$/,
  'socket-unix': /^ok$/,
  'socket-tcp': /^ok$/,
  'socket-udp6': /^(ok|EAFNOSUPPORT)$/,
  'socket-route': /^ok$/,
  'personality-plain': /^ok$/,
  // The kernel lets anybody make 0:0, but not through an overlay, where it would be a whiteout.
  'mknod-whiteout': /^EPERM$/,
  'mknod-whiteout-shm': /^ENOENT$/,
  io_setup: /^ENOSYS$/,
  lease: /^EPERM$/,
  ...Object.fromEntries(
    ['null', 'zero', 'full', 'random', 'urandom'].flatMap((name) => [
      [`chmod /dev/${name}`, /^(EROFS|EPERM)$/],
      [`utimes /dev/${name}`, /^EROFS$/],
    ]),
  ),
  'write /dev/null': /^ok$/,
  'open /dev/tty': /^ENOENT$/,
  terminals: /^bounded$/,
  // By SIGSEGV where the host has no i386 calls at all.
  ...(process.arch === 'x64' ? { int80: /^killed (31|11)$/, x32: /^killed 31$/ } : {}),
  'open /proc/1/exe for writing': /^EACCES$/,
  'open /proc/1/exe': /^EACCES$/,
  'open /proc/1/maps': /^EACCES$/,
  'open /proc/1/environ': /^EACCES$/,
  'open /proc/1/ns/mnt': /^EACCES$/,
  'process_vm_readv init': /^EPERM$/,
  'kill init': /^ok$/,
  'stop init': /^ok$/,
  'open /proc/1/fd': /^(EACCES|ok)$/,
  'open /proc/1/root': /^EACCES$/,
  'open /proc/1/mem': /^EACCES$/,
  'ptrace init': /^EPERM$/,
  ...Object.fromEntries(
    ['keys', 'timer_list', 'kallsyms', 'kmsg', 'kcore', 'iomem', 'sched_debug'].map((name) => [
      `read /proc/${name}`,
      name === 'iomem' ? /^(empty|bytes|EACCES|EPERM|ENOENT)$/ : /^(empty|EACCES|EPERM|ENOENT)$/,
    ]),
  ),
  ...Object.fromEntries(
    [
      '/proc/sys/kernel/core_pattern',
      '/proc/sys/kernel/hostname',
      '/proc/sys/vm/overcommit_memory',
      '/proc/irq/default_smp_affinity',
      '/proc/sysrq-trigger',
      '/sys/kernel/mm/ksm/run',
      '/proc/pressure/cpu',
    ].map((path) => [`write ${path}`, /^(EACCES|EROFS|ENOENT)$/]),
  ),
}

/** Rows of a guest's output that are answered otherwise, each with its answer, and those that it did not come to. */
export function judgeAnswers(stdout: string): {
  readonly wrong: readonly (readonly [row: string, answer: string])[]
  readonly absent: readonly string[]
} {
  const seen = new Map(
    stdout
      .trim()
      .split('\n')
      .map((line): [string, string] => {
        const name = Object.keys(ANSWERS).find((known) => line.startsWith(`${known} `)) ?? line
        return [name, line.slice(name.length + 1)]
      }),
  )
  return {
    wrong: [...seen].filter(([name, answer]) => !(ANSWERS[name]?.test(answer) ?? false)),
    absent: Object.keys(ANSWERS).filter((name) => !seen.has(name)),
  }
}
