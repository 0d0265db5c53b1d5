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
        hint: 'Check the name and the image; a script or program whose interpreter (its #! line or ELF loader) is missing fails the same way.',
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
    default:
      return null
  }
}

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
  if (name === 'ENOSPC') return 'No space is left, or the limit for this container is reached.'
  if (name === 'ENOSYS') return `The kernel is too old for ${call}: Linux 5.13 is the least.`
  if (operation === 'mount-console' || argument === 'ptmx' || argument === 'TIOCGPTPEER')
    return 'This host makes no terminal for -t: leave it out, or see `wolffia doctor`.'
  if (operation === 'bind' && name === 'ENOENT') return `Does ${argument} exist?`
  return null
}
