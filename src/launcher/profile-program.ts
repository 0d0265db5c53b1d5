/**
 * A profile of the user's as the program for one container: which rules are meant (`includes`, `excludes`), what the names of calls are as
 * numbers, and how rules about the same call go together.
 *
 * Where moby leaves that to libseccomp: a rule without conditions beats those with; of two of a kind the first counts. Conditions of a
 * rule hold together, unless two are about the same argument, when each stands for itself (runc). Calls that are newer than any the
 * profile names answer ENOSYS where the profile would refuse them, so that libraries fall back (runc).
 *
 * Whatever `architectures` and `archMap` say, a call by another convention (i386, x32) kills: its numbers mean other calls.
 */
import { createHash } from 'node:crypto'
import { release } from 'node:os'
import { EngineError } from '../errors.js'
import type { Cases, Condition, Decision, Halves, Rule } from './bpf.js'
import { ACTIONS, assemble, compileFilter } from './bpf.js'
import { ARCHITECTURES, type Architecture } from './seccomp.js'
import type { ProfileAction, ProfileArgument, ProfileRule, ProfileScope, SeccompProfile } from './seccomp-profile.js'
import { SYSCALLS, type SyscallName } from './syscalls.js'

/** What a profile comes to. */
export interface ProfileProgram {
  readonly bytes: Uint8Array
  /** `sha256:…` of the bytes. */
  readonly digest: string
  /** How many of the names in its rules are no call that wolffia knows, and were passed over. */
  readonly unknownNames: number
}

/** What a profile is compiled for. */
export interface ProfileTarget {
  /** For messages. */
  readonly source: string
  readonly architecture: Architecture
  /** What the container's root may do, without `CAP_`. */
  readonly capabilities: readonly string[]
  /** Version of the kernel; this one's unless said. */
  readonly kernel?: readonly [major: number, minor: number]
}

const EPERM = 1
const ENOSYS = 38
const ENOSYS_DECISION: Decision = { errno: ENOSYS }
/** BPF_MAXINSNS. */
const MAXIMUM_INSTRUCTIONS = 4096
const GO_NAMES = { x86_64: 'amd64', aarch64: 'arm64' } as const
const LETS_THROUGH: readonly ProfileAction[] = ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE']
/** What the launcher has to do between the filter and the guest's first instruction. */
export const NEEDED = [
  'read',
  'close',
  'sendmsg',
  'recvfrom',
  'rt_sigaction',
  'rt_sigprocmask',
  'mmap',
  'execve',
] as const satisfies readonly SyscallName[]

/** Compiles a profile. Throws INVALID_ARGUMENT when it is too long for the kernel, or refuses what no program starts without. */
export function compileProfile(profile: SeccompProfile, target: ProfileTarget): ProfileProgram {
  const { column, audit, killFrom } = ARCHITECTURES[target.architecture]
  const meant = profile.syscalls.filter((rule) => isMeant(rule, target))
  const byName = rulesByName(meant)
  const otherwise = decisionOf(profile.defaultAction, profile.defaultErrnoRet)
  assertStarts(byName, profile.defaultAction, target.source)
  const rules = new Map<number, Rule>()
  for (const [name, list] of byName) {
    const number = numberOf(name, column)
    if (number !== null) rules.set(number, ruleOf(list, otherwise))
  }
  const answersNewer = !LETS_THROUGH.includes(profile.defaultAction) && rules.size > 0
  if (answersNewer) for (let number = Math.max(...rules.keys()); number >= 0; number--) if (!rules.has(number)) rules.set(number, otherwise)
  const unknown = answersNewer ? ENOSYS_DECISION : otherwise
  const program = compileFilter({ architecture: audit, rules, unknown, killFrom })
  if (program.length > MAXIMUM_INSTRUCTIONS)
    throw new EngineError('INVALID_ARGUMENT', `seccomp profile ${target.source} is too long: ${program.length} instructions`, {
      hint: `The kernel takes ${MAXIMUM_INSTRUCTIONS}; write fewer conditions on arguments.`,
      data: { source: target.source, instructions: program.length },
    })
  const bytes = assemble(program)
  const unknownNames = meant.flatMap(({ names }) => names).filter((name) => !Object.hasOwn(SYSCALLS, name)).length
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, unknownNames }
}

/** As moby judges `includes` and `excludes`: of capabilities all must be there to include, one is enough to exclude. */
function isMeant({ includes, excludes }: ProfileRule, { architecture, capabilities, kernel = ownKernel() }: ProfileTarget): boolean {
  const isHere = ({ arches }: ProfileScope) => arches.includes(GO_NAMES[architecture])
  const isReached = ({ minKernel }: ProfileScope) => minKernel !== null && compare(kernel, minKernel) >= 0
  if (includes.arches.length > 0 && !isHere(includes)) return false
  if (excludes.arches.length > 0 && isHere(excludes)) return false
  if (!includes.caps.every((name) => capabilities.includes(name))) return false
  if (excludes.caps.some((name) => capabilities.includes(name))) return false
  return (includes.minKernel === null || isReached(includes)) && !isReached(excludes)
}

function compare(left: readonly [number, number], right: readonly [number, number]): number {
  return left[0] - right[0] || left[1] - right[1]
}

function ownKernel(): readonly [number, number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release()) ?? []
  return [Number(major ?? 0), Number(minor ?? 0)]
}

function rulesByName(rules: readonly ProfileRule[]): ReadonlyMap<string, readonly ProfileRule[]> {
  const byName = new Map<string, ProfileRule[]>()
  for (const rule of rules) for (const name of rule.names) byName.set(name, [...(byName.get(name) ?? []), rule])
  return byName
}

function numberOf(name: string, column: 0 | 1): number | null {
  return Object.hasOwn(SYSCALLS, name) ? SYSCALLS[name as SyscallName][column] : null
}

function ruleOf(rules: readonly ProfileRule[], otherwise: Decision): Rule {
  const plain = rules.find(({ args }) => args.length === 0)
  if (plain !== undefined) return decisionOf(plain.action, plain.errnoRet)
  return { cases: rules.flatMap(casesOf), otherwise }
}

function casesOf({ args, action, errnoRet }: ProfileRule): Cases['cases'] {
  const decision = decisionOf(action, errnoRet)
  const isTwice = new Set(args.map(({ index }) => index)).size < args.length
  const conditions = args.map(conditionOf)
  return isTwice ? conditions.map((condition) => ({ conditions: [condition], decision })) : [{ conditions, decision }]
}

/** libseccomp's `value` of a masked comparison is the mask, and its `valueTwo` what is looked for under it. */
function conditionOf({ index, comparison, value, valueTwo }: ProfileArgument): Condition {
  const argument = index as Condition['argument']
  if (comparison !== 'masked-equal') return { argument, comparison, value: halvesOf(value) }
  return { argument, comparison, mask: halvesOf(value), value: halvesOf(String(BigInt(value) & BigInt(valueTwo))) }
}

function halvesOf(text: string): Halves {
  const value = BigInt(text)
  return { high: Number(value >> 32n), low: Number(value & 0xffffffffn) }
}

/** ERRNO without a number is EPERM (runc). */
function decisionOf(action: ProfileAction, errnoRet: number | null): Decision {
  switch (action) {
    case 'SCMP_ACT_ALLOW':
      return 'allow'
    case 'SCMP_ACT_KILL_PROCESS':
      return 'kill'
    case 'SCMP_ACT_KILL':
    case 'SCMP_ACT_KILL_THREAD':
      return { returns: ACTIONS.killThread }
    case 'SCMP_ACT_LOG':
      return { returns: ACTIONS.log }
    case 'SCMP_ACT_TRAP':
      return { returns: ACTIONS.trap }
    case 'SCMP_ACT_TRACE':
      return { returns: ACTIONS.trace + (errnoRet ?? EPERM) }
    case 'SCMP_ACT_ERRNO':
      return { errno: errnoRet ?? EPERM }
  }
}

/** A filter under which nothing starts is a mistake that is better told than met. */
function assertStarts(rules: ReadonlyMap<string, readonly ProfileRule[]>, defaultAction: ProfileAction, source: string): void {
  const refused = NEEDED.find((name) => {
    const list = rules.get(name) ?? []
    const plain = list.find(({ args }) => args.length === 0)
    if (plain !== undefined) return !LETS_THROUGH.includes(plain.action)
    return !LETS_THROUGH.includes(defaultAction) && !list.some(({ action }) => LETS_THROUGH.includes(action))
  })
  if (refused !== undefined)
    throw new EngineError('INVALID_ARGUMENT', `seccomp profile ${source} refuses ${refused}, without which no program is started`, {
      hint: `Allow ${NEEDED.join(', ')}: the launcher needs them between the filter and the program.`,
      data: { source, refused },
    })
}
