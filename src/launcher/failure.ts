import { constants } from 'node:os'
import { EngineError } from '../errors.js'
import type { FailedEvent } from './protocol.js'

/** EWOULDBLOCK is a second name of EAGAIN, and not the one that manuals use. */
const NAMES = new Map(
  Object.entries(constants.errno)
    .filter(([name]) => name !== 'EWOULDBLOCK')
    .map(([name, number]) => [number, name]),
)

/** `ENOENT` for 2; `errno 1234` for a number without a name. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`
}

/** The error a failed step means to a user: what was tried, with which value, what the kernel said, and what to do. */
export function launcherError(event: FailedEvent): EngineError {
  const name = errnoName(event.errno)
  const data = { operation: event.operation, call: event.call, argument: event.argument, errno: name }
  if (event.operation === 'exec') {
    const found = execError(event, name)
    if (found !== null) return new EngineError(found.code, found.message, { data, hint: found.hint })
  }
  const understood = pathError(event, name)
  if (understood !== null) return new EngineError('LAUNCHER_FAILED', understood.message, { data, hint: understood.hint })
  const about = event.argument === '' ? '' : ` ${JSON.stringify(event.argument)}`
  const hint = hintFor(event, name)
  return new EngineError('LAUNCHER_FAILED', `${event.operation}${about}: ${event.call} failed with ${name}`, {
    data,
    ...(hint === null ? {} : { hint }),
  })
}

function execError({ argument, call }: FailedEvent, name: string): { code: EngineError['code']; message: string; hint: string } | null {
  if (call !== 'execve') return null
  switch (name) {
    case 'ENOENT':
      return {
        code: 'COMMAND_NOT_FOUND',
        message: `no such command in the image: ${argument}`,
        hint: argument.startsWith('-')
          ? "wolffia's own options stand before the container; what comes after it is the program and its own arguments."
          : 'Check the name and the image; a script or program whose interpreter (its #! line or ELF loader) is missing fails the same way.',
      }
    case 'EACCES':
    case 'EPERM':
      return {
        code: 'COMMAND_NOT_EXECUTABLE',
        message: `permission denied to execute ${argument}`,
        hint: 'Is it a file, executable by this user, on a mount without noexec?',
      }
    case 'ENOEXEC':
      return {
        code: 'COMMAND_NOT_EXECUTABLE',
        message: `not a program this kernel can execute: ${argument}`,
        hint: 'It is for another processor, or a script without a #! line: name its interpreter first.',
      }
    case 'ENOTDIR':
    case 'ELOOP':
    case 'EISDIR':
    case 'ENAMETOOLONG':
    case 'ETXTBSY':
    case 'ELIBBAD':
    case 'EINVAL':
      return { code: 'COMMAND_NOT_EXECUTABLE', message: `cannot execute ${argument}: ${name}`, hint: 'Check the path of the command.' }
    case 'E2BIG':
      return {
        code: 'INVALID_ARGUMENT',
        message: `the arguments and variables for ${argument} are more than the kernel takes`,
        hint: 'One may have 128 KiB, and all together a quarter of the stack (ulimit -s), 2 MiB as a rule.',
      }
    default:
      return null
  }
}

/** What a user asked for with -v, --tmpfs and -w, in such words; null for what is no mistake of theirs. */
function pathError({ operation, call, argument }: FailedEvent, name: string): { message: string; hint: string } | null {
  const verb = PATH_VERBS[operation]
  if (verb === undefined) return null
  const cannot = `cannot ${verb} ${argument} in the container`
  if (operation === 'bind' && call === 'move_mount' && name === 'EINVAL')
    return { message: `${cannot}: one is a folder and the other a file`, hint: LIKE_OVER_LIKE }
  if (name === 'ENOTDIR' || (operation === 'directory' && name === 'EEXIST'))
    return {
      message: `${cannot}: it is a file, or lies below one`,
      hint: operation === 'bind' ? LIKE_OVER_LIKE : 'Choose another path.',
    }
  if (operation === 'working-directory' && name === 'EACCES')
    return { message: `${cannot}: its user may not`, hint: 'Choose another folder with -w, or another user with -u.' }
  if (operation === 'working-directory' && name === 'ENOENT')
    return { message: `${cannot}: there is none`, hint: 'Choose another with -w.' }
  if (name === 'ENAMETOOLONG') return { message: `${cannot}: the path is too long`, hint: 'A name has at most 255 bytes, a path 4095.' }
  return null
}

const PATH_VERBS: Readonly<Record<string, string>> = {
  bind: 'bind at',
  'mount-tmpfs': 'mount a tmpfs at',
  'mount-tree': 'mount a file system at',
  directory: 'make the folder',
  'working-directory': 'enter the working directory',
}
const LIKE_OVER_LIKE = 'A folder is bound over a folder, and a file over a file.'

function hintFor({ operation, call, argument }: FailedEvent, name: string): string | null {
  const denied = name === 'EPERM' || name === 'EACCES'
  if (operation === 'namespace' && (denied || name === 'ENOSPC' || name === 'EUSERS'))
    return 'This host restricts unprivileged user namespaces; `wolffia doctor` says which switch or AppArmor profile it takes.'
  if (operation === 'id-map-helper')
    return 'newuidmap or newgidmap refused the map: check /etc/subuid, /etc/subgid and that both are setuid.'
  if ((operation === 'uid-map' || operation === 'gid-map') && denied)
    return 'Only a single id can be mapped without newuidmap and newgidmap.'
  if (operation === 'root-overlay' && denied) return 'The kernel refuses overlay in user namespaces; it takes Linux 5.11 or later.'
  if (operation === 'root-overlay')
    return 'The folder that holds containers may be on a file system that cannot carry an overlay (NFS, another overlay).'
  if (operation === 'user' && name === 'EINVAL')
    return 'That id is not in the id map: give this user a range in /etc/subuid and /etc/subgid.'
  if (operation.startsWith('tree-') && call === 'fchownat' && name === 'EINVAL')
    return 'The image has files of other users: give this user a range in /etc/subuid and /etc/subgid.'
  if (operation.startsWith('cgroup'))
    return 'The control group that holds the limits is gone, takes no process of yours, or does not take that value.'
  if (name === 'ENOSPC') return 'No space is left, or the limit for this container is reached.'
  if (name === 'ENOSYS') return `The kernel is too old for ${call}: Linux 5.13 is the least.`
  if (operation === 'mount-console' || argument === 'ptmx' || argument === 'TIOCGPTPEER')
    return 'This host makes no terminal for -t: leave it out, or see `wolffia doctor`.'
  if (operation === 'sysctl' && name === 'ENOENT') return `There is no ${argument} in a namespace of this kernel's: look below /proc/sys.`
  if (operation === 'sysctl' && denied)
    return `This kernel lets no user namespace set ${argument}: parameters of message queues and shared memory take Linux 5.19.`
  if (operation === 'sysctl' && name === 'EINVAL') return `The kernel does not take that value for ${argument}.`
  if (operation === 'capabilities' && denied)
    return 'With no-new-privileges=false the seccomp profile must allow capget, capset and prctl: they come after it.'
  if (operation === 'bind' && name === 'ENODEV') return 'It was a device when the container was made, and is none any more.'
  if (operation === 'bind' && name === 'ELOOP') return 'Somebody put a symlink in that path while the container was made.'
  if (operation === 'bind' && call === 'open_tree' && name === 'EINVAL')
    return 'Other mounts lie below it, and no user namespace may look under those: leave bind-recursive=disabled out.'
  if (operation === 'bind' && name === 'ENOENT') return `Does ${argument} exist?`
  return null
}
