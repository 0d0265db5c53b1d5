import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { PrivilegeOptions } from '../container/privileges.js'
import { EngineError, messageOf } from '../errors.js'
import type { DeviceSpec } from '../runtime/spec.js'
import type { CliOptions } from './command.js'
import { invalidFlag } from './invalid-flag.js'

const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value]

/** Adds the flags about what a container may do more, or less, than others. */
export function addPrivilegeFlags(parser: Command): void {
  parser
    .option('--cap-add <capability>', "give the container's root a capability over its own namespaces: NET_ADMIN, ALL", collect)
    .option('--cap-drop <capability>', 'take one away: CHOWN, ALL', collect)
    .option('--cgroupns <private|host>', "private unless said; host shows the host's cgroup paths")
    .option('--device <path[:path]>', 'a device of the host that you may open', collect)
    .option('--ipc <private|none>', 'private unless said; none has no /dev/shm')
    .option('--pid <namespace>', 'always private')
    .option('--privileged', 'all capabilities over its own namespaces, no filter, nothing hidden; nothing of the host')
    .option('--security-opt <option>', 'seccomp=FILE|unconfined, no-new-privileges[=BOOL], systempaths=unconfined', collect)
    .option('--sysctl <name=value>', "a kernel parameter of the container's namespaces: net.ipv4.ip_forward=1", collect)
    .option('--userns <namespace>', 'always of its own; keep-id[:uid=N,gid=N] has your own ids in it instead of root')
    .option('--uts <host>', 'host is the host’s name instead of one of its own')
}

/** What those flags ask for. Reads the file of a seccomp profile. Throws INVALID_ARGUMENT, and NOT_BUILT with the way out. */
export function privilegeOptions(options: CliOptions): PrivilegeOptions {
  const list = (name: string) => (options[name] as readonly string[] | undefined) ?? []
  const mode = (name: string) => (options[name] as string | undefined) ?? ''
  assertOwn(mode('pid'), PID)
  const keepId = keepIdOf(mode('userns'))
  const ipc = modeOf(mode('ipc'), ['private', 'none'], IPC)
  const uts = modeOf(mode('uts'), ['host'], UTS)
  const cgroupns = modeOf(mode('cgroupns'), ['private', 'host'], CGROUPNS)
  return {
    ...(options.privileged === true ? { privileged: true } : {}),
    ...(list('capAdd').length > 0 ? { capAdd: list('capAdd') } : {}),
    ...(list('capDrop').length > 0 ? { capDrop: list('capDrop') } : {}),
    ...(list('device').length > 0 ? { devices: list('device').map(deviceOf) } : {}),
    ...(list('sysctl').length > 0 ? { sysctls: Object.fromEntries(list('sysctl').map(sysctlOf)) } : {}),
    ...(ipc === undefined ? {} : { ipc }),
    ...(uts === undefined ? {} : { uts }),
    ...(cgroupns === undefined ? {} : { cgroupns }),
    ...(keepId === undefined ? {} : { keepId }),
    ...Object.assign({}, ...list('securityOpt').map(securityOption)),
  }
}

/** Values of a flag about a namespace: docker's own that are not built, with the way out, and how docker calls one that is wrong. */
interface NamespaceFlag {
  readonly flag: string
  readonly invalid: string
  readonly notBuilt: RegExp
  readonly wayOut: string
  /** What it takes besides its modes, for the hint. */
  readonly also?: readonly string[]
}

const PID: NamespaceFlag = {
  flag: '--pid',
  invalid: 'invalid PID mode',
  notBuilt: /^(host|container:.*)$/,
  wayOut: 'Every container has processes of its own, so that none is left when it ends. See them from outside with `wolffia top`.',
}
const USERNS: NamespaceFlag = {
  flag: '--userns',
  invalid: 'invalid USER mode',
  also: ['keep-id'],
  notBuilt: /^(host|auto|nomap|container|ns)(:.*)?$/,
  wayOut:
    'Without root there is always a user namespace; its root is you, or with keep-id your own user, so what that one writes into a folder of yours is yours.',
}
const IPC: NamespaceFlag = {
  flag: '--ipc',
  invalid: 'invalid IPC mode',
  notBuilt: /^(host|shareable|container:.*)$/,
  wayOut: 'Share a folder in memory instead: -v /dev/shm/NAME:/dev/shm, made before.',
}
const UTS: NamespaceFlag = { flag: '--uts', invalid: 'invalid UTS mode', notBuilt: /^$/, wayOut: '' }
const CGROUPNS: NamespaceFlag = { flag: '--cgroupns', invalid: 'invalid CGROUP mode', notBuilt: /^$/, wayOut: '' }

function assertOwn(value: string, flag: NamespaceFlag): undefined {
  modeOf(value, ['private'], flag)
}

/** As podman has it: `keep-id`, `keep-id:uid=200,gid=210`. */
function keepIdOf(value: string): PrivilegeOptions['keepId'] {
  const [isKept, options] = /^keep-id(?::(.*))?$/s.exec(value) ?? []
  if (isKept === undefined) return assertOwn(value, USERNS)
  const ids: { uid?: number; gid?: number } = {}
  for (const option of options === undefined ? [] : options.split(',')) {
    const [, name, digits] = /^(uid|gid)=(\d{1,10})$/.exec(option) ?? []
    if (name === undefined)
      throw invalidFlag(value, '--userns', `unknown option specified: ${JSON.stringify(option)}; it takes uid=N and gid=N`)
    ids[name as 'uid' | 'gid'] = Number(digits)
  }
  return ids
}

function modeOf<Mode extends string>(value: string, known: readonly Mode[], { flag, invalid, notBuilt, wayOut, also = [] }: NamespaceFlag) {
  if (value === '') return undefined
  const mode = known.find((name) => name === value)
  if (mode !== undefined) return mode
  if (notBuilt.test(value)) throw new EngineError('NOT_BUILT', `${flag} ${value} is not built`, { hint: wayOut, data: { flag, value } })
  throw new EngineError('INVALID_ARGUMENT', `${flag}: ${invalid}`, {
    hint: `It takes: ${[...known, ...also].join(', ')}.`,
    data: { flag, value },
  })
}

/** `source[:destination][:rwm]`, as docker reads it: a second part that is a mode is one. */
function deviceOf(text: string): DeviceSpec {
  const parts = text.split(':')
  const [source = ''] = parts
  if (!source.startsWith('/') && /^[\w.-]+\/[\w.-]+=/.test(source))
    throw new EngineError('NOT_BUILT', `--device ${text}: devices by their CDI names are not built`, {
      hint: 'Name the device by its path.',
    })
  const isMode = (part = '') => /^[rwm]+$/.test(part) && new Set(part).size === part.length
  const [, second, third] = parts
  const mode = third ?? (parts.length === 2 && isMode(second) ? second : undefined)
  const destination = second === undefined || second === '' || (third === undefined && isMode(second)) ? source : second
  if (parts.length > 3 || (mode !== undefined && !isMode(mode)))
    throw invalidFlag(text, '--device', `bad mode specified: ${mode ?? parts.slice(2).join(':')}`)
  for (const path of [source, destination])
    if (!path.startsWith('/')) throw invalidFlag(text, '--device', `${path} is not an absolute path`)
  if (mode !== undefined && !(mode.includes('r') && mode.includes('w')))
    throw new EngineError('NOT_BUILT', `--device ${text}: mode ${mode} cannot be held apart from rw`, {
      hint: 'That takes root. Leave the mode out: what you may not do with the device yourself, the container may not either.',
      data: { device: text, mode },
    })
  return { source, destination }
}

function sysctlOf(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=')
  if (at <= 0) throw invalidFlag(text, '--sysctl', `sysctl '${text}' is not allowed`)
  return [text.slice(0, at), text.slice(at + 1)]
}

const TRUE = /^(1|t|T|true|TRUE|True)$/
const FALSE = /^(0|f|F|false|FALSE|False)$/

/** `name=value`, and `name:value`, which docker still takes. */
function securityOption(text: string): PrivilegeOptions {
  const [, name = '', separator = '', value = ''] = /^([^=:]*)([=:]?)(.*)$/s.exec(text) ?? []
  const truth = separator === '' || TRUE.test(value) ? true : FALSE.test(value) ? false : null
  switch (name) {
    case 'no-new-privileges':
      if (truth === null) break
      return { noNewPrivileges: truth }
    case 'seccomp':
      if (value === '') break
      return { seccomp: value === 'builtin' || value === 'unconfined' ? value : { source: value, json: readProfile(value) } }
    case 'systempaths':
      if (value !== 'unconfined') break
      return { systemPaths: value }
    case 'apparmor':
      // Nothing is put on a container, so it is true.
      if (value === 'unconfined') return {}
      throw notPossible(text, 'Only root can load a profile: have it attached to the program that starts wolffia.')
    case 'label':
      if (value === 'disable') return {}
      throw notPossible(text, 'Files and processes of a container keep the labels of yours: set them outside, with chcon or runcon.')
    case 'writable-cgroups':
      if (truth === null) break
      if (!truth) return {}
      throw notPossible(text, 'wolffia holds no cgroup that could be given away.')
  }
  throw new EngineError('INVALID_ARGUMENT', `invalid --security-opt: "${text}"`, {
    hint: 'It takes seccomp=FILE, seccomp=unconfined, no-new-privileges, no-new-privileges=false, systempaths=unconfined, apparmor=unconfined and label=disable.',
    data: { option: text },
  })
}

function notPossible(text: string, hint: string): EngineError {
  return new EngineError('NOT_BUILT', `--security-opt ${text} is not built`, { hint, data: { option: text } })
}

function readProfile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `opening seccomp profile (${path}) failed: ${messageOf(cause)}`, { cause, data: { path } })
  }
}
