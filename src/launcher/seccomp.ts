/**
 * Which system calls a guest may make. An allowlist in the spirit of docker's default profile, narrower where the kernel has
 * been reached from containers: no io_uring, no keyrings, no nested namespaces, and only the socket families programs need.
 *
 * Refused calls that exist answer EPERM. What is newer than the table answers ENOSYS, so that libraries fall back to older calls.
 *
 * Capabilities that a guest is given besides the usual open what they are for, as in docker's profile, where that is of any use in a
 * user namespace: bpf, perf_event_open, modules, clocks and the like stay shut, the kernel would refuse them there or should have.
 */
import type { Decision, Rule } from './bpf.js'
import { assemble, compileFilter } from './bpf.js'
import type { CapabilityName } from './capabilities.js'
import type { SyscallName } from './syscalls.js'
import { SYSCALLS } from './syscalls.js'

const EPERM: Decision = { errno: 1 }
const ENOSYS: Decision = { errno: 38 }
const EPROTONOSUPPORT: Decision = { errno: 93 }
const EAFNOSUPPORT: Decision = { errno: 97 }

/** Allowed whatever their arguments. */
const ALLOWED = `
  accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown chroot clock_adjtime
  clock_getres clock_gettime clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create
  epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat
  faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fdatasync fgetxattr flistxattr flock
  fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat
  getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid
  getpriority getrandom getresgid getresuid getrlimit get_robust_list getrusage getsid getsockname getsockopt get_thread_area
  gettid gettimeofday getuid getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioprio_get ioprio_set kill landlock_add_rule
  landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listxattr listxattrat llistxattr
  lremovexattr lseek lsetxattr lstat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod
  mknodat mlock mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap
  mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat openat2
  pause pidfd_getfd pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64
  preadv preadv2 prlimit64 process_madvise process_mrelease process_vm_readv process_vm_writev pselect6 ptrace pwrite64
  pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages removexattr
  removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
  rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_getaffinity sched_getattr
  sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_setaffinity
  sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg
  sendmsg sendto setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid
  setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid setxattr setxattrat shmat shmctl shmdt
  shmget shutdown sigaltstack signalfd signalfd4 splice stat statfs statx symlink symlinkat sync sync_file_range syncfs
  sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
  timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork vmsplice wait4
  waitid write writev
`

/** Known, and yet answered as if they were not: libraries try them first and fall back. */
const UNKNOWN_TO_GUESTS: readonly SyscallName[] = [
  // Its flags lie in memory, where no filter can look.
  'clone3',
  // Its queues are counted for all users of the host together: whoever takes them takes them from everybody.
  'io_setup',
  'statmount',
  'listmount',
  'lsm_get_self_attr',
  'lsm_set_self_attr',
  'lsm_list_modules',
  // What ioctl does for the same attributes is tried next (chattr, cp).
  'file_getattr',
  'file_setattr',
]

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME is not among clone's flags. */
const CLONE_NAMESPACES = 0x7e020000

const AF = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17 } as const
const SOCK_TYPE_MASK = 0xf
const SOCK = { stream: 1, datagram: 2 } as const
/** The default one, ICMP, TCP, UDP, ICMPv6, UDP-Lite, MPTCP: the others load kernel modules. */
const INTERNET_PROTOCOLS = [0, 1, 6, 17, 58, 136, 262]
const NETLINK_ROUTE = 0
const NETLINK_NETFILTER = 12
const NETLINK_GENERIC = 16
/** PER_LINUX, PER_LINUX32, UNAME26, both, and asking. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff]
/**
 * The first two type into a terminal for whoever reads it. The third loads a line discipline: kernel modules for modems and radios that
 * no guest needs and that have been exploited through any pty (CVE-2017-2636, CVE-2023-6546).
 */
const REFUSED_IOCTLS = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c, TIOCSETD: 0x5423 }

/** Makes the host's programs wait before they may write to a file that a guest can only read. */
const F_SETLEASE = 1024

/** Allowed depending on their arguments. */
const CONDITIONAL: Readonly<Partial<Record<SyscallName, Rule>>> = {
  clone: { argument: 0, mask: CLONE_NAMESPACES, equals: [0], matching: 'allow', otherwise: EPERM },
  personality: { argument: 0, equals: PERSONALITIES, matching: 'allow', otherwise: EPERM },
  fcntl: { argument: 1, equals: [F_SETLEASE], matching: EPERM, otherwise: 'allow' },
  ioctl: { argument: 1, equals: Object.values(REFUSED_IOCTLS), matching: EPERM, otherwise: 'allow' },
  socketpair: { argument: 0, equals: [AF.unix], matching: 'allow', otherwise: EAFNOSUPPORT },
  socket: {
    argument: 0,
    equals: [AF.unix],
    matching: 'allow',
    otherwise: {
      argument: 0,
      equals: [AF.inet, AF.inet6],
      matching: {
        argument: 1,
        mask: SOCK_TYPE_MASK,
        equals: [SOCK.stream, SOCK.datagram],
        matching: { argument: 2, equals: INTERNET_PROTOCOLS, matching: 'allow', otherwise: EPROTONOSUPPORT },
        // Raw sockets see and forge what other programs send.
        otherwise: EPERM,
      },
      otherwise: {
        argument: 0,
        equals: [AF.netlink],
        // Netfilter and others are a large part of the kernel that a user namespace would open up.
        matching: { argument: 2, equals: [NETLINK_ROUTE], matching: 'allow', otherwise: EPROTONOSUPPORT },
        otherwise: EAFNOSUPPORT,
      },
    },
  },
}

/** What a guest may do besides when it has a capability that others have not. */
const OPENED: Readonly<Partial<Record<CapabilityName, Readonly<Partial<Record<SyscallName, Rule>>>>>> = {
  SYS_ADMIN: {
    clone: 'allow',
    clone3: 'allow',
    fsconfig: 'allow',
    fsmount: 'allow',
    fsopen: 'allow',
    fspick: 'allow',
    mount: 'allow',
    mount_setattr: 'allow',
    move_mount: 'allow',
    open_tree: 'allow',
    pivot_root: 'allow',
    setdomainname: 'allow',
    sethostname: 'allow',
    setns: 'allow',
    umount2: 'allow',
    unshare: 'allow',
  },
  SYS_PTRACE: { kcmp: 'allow' },
}

const RAW_SOCKETS: Rule = { argument: 0, equals: [AF.unix, AF.inet, AF.inet6, AF.packet], matching: 'allow', otherwise: EAFNOSUPPORT }
const NETLINK_SOCKETS: Rule = {
  argument: 2,
  equals: [NETLINK_ROUTE, NETLINK_NETFILTER, NETLINK_GENERIC],
  matching: 'allow',
  otherwise: EPROTONOSUPPORT,
}

/** Sockets depend on two capabilities: raw ones and those of packets on one, what sets up a network on the other. */
function socketRule(opened: readonly CapabilityName[]): Rule {
  const plain = CONDITIONAL.socket ?? EAFNOSUPPORT
  const inner: Rule = opened.includes('NET_RAW') ? RAW_SOCKETS : plain
  const netlink = opened.includes('NET_ADMIN')
    ? NETLINK_SOCKETS
    : ({ argument: 2, equals: [NETLINK_ROUTE], matching: 'allow', otherwise: EPROTONOSUPPORT } as const)
  return { argument: 0, equals: [AF.netlink], matching: netlink, otherwise: inner }
}

/** A processor wolffia has a program for. */
export type Architecture = 'x86_64' | 'aarch64'

/** Each with its place in the table of calls, its name for the kernel's audit, and where the numbers of another convention begin. */
export const ARCHITECTURES = {
  x86_64: { column: 0, audit: 0xc000003e, killFrom: 0x40000000 },
  aarch64: { column: 1, audit: 0xc00000b7, killFrom: null },
} as const satisfies Record<Architecture, { column: 0 | 1; audit: number; killFrom: number | null }>

/** What the policy says about a call by name, for a guest with these capabilities besides the usual. */
export function ruleFor(name: SyscallName, opened: readonly CapabilityName[] = []): Rule {
  if (name === 'socket' && opened.some((capability) => capability === 'NET_RAW' || capability === 'NET_ADMIN')) return socketRule(opened)
  for (const capability of opened) {
    const rule = OPENED[capability]?.[name]
    if (rule !== undefined) return rule
  }
  if (ALLOWED_NAMES.has(name)) return 'allow'
  return CONDITIONAL[name] ?? (UNKNOWN_TO_GUESTS.includes(name) ? ENOSYS : EPERM)
}

const ALLOWED_NAMES: ReadonlySet<string> = new Set(ALLOWED.trim().split(/\s+/))

/** The policy for one architecture, and a guest with these capabilities besides the usual, as the bytes `seccomp(2)` takes. */
export function seccompProgram(architecture: Architecture, opened: readonly CapabilityName[] = []): Uint8Array {
  const { column, audit, killFrom } = ARCHITECTURES[architecture]
  const rules = new Map<number, Rule>()
  for (const [name, numbers] of Object.entries(SYSCALLS)) {
    const number = numbers[column]
    if (number !== null) rules.set(number, ruleFor(name as SyscallName, opened))
  }
  return assemble(compileFilter({ architecture: audit, rules, unknown: ENOSYS, killFrom }))
}

/** The files that the build writes into `dist/`. */
export function compiledPrograms(): Record<'seccomp-x86_64.bin' | 'seccomp-aarch64.bin', Uint8Array> {
  return { 'seccomp-x86_64.bin': seccompProgram('x86_64'), 'seccomp-aarch64.bin': seccompProgram('aarch64') }
}
