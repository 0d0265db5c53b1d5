/**
 * The least seccomp profile, in docker's JSON form, under which a program did what it was seen to do. It never lets through more than
 * wolffia's own filter, under which it was seen.
 */
import { EngineError } from '../errors.js'
import { ownArchitecture } from '../launcher/installation.js'
import { type ProfileRule, parseSeccompProfile } from '../launcher/seccomp-profile.js'
import type { SyscallName } from '../launcher/syscalls.js'
import type { SystemCallReport } from '../runtime/system-calls.js'
import { UNTOLD, VALUES } from './watch.js'

/** A profile as docker and podman read it. */
export interface DockerProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO'
  readonly defaultErrnoRet: number
  readonly archMap: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] }[]
  readonly syscalls: readonly DockerRule[]
}

interface DockerRule {
  readonly names: readonly string[]
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO'
  readonly errnoRet?: number
  readonly args?: readonly {
    readonly index: number
    readonly value: number
    readonly valueTwo: number
    readonly op: 'SCMP_CMP_MASKED_EQ'
  }[]
}

const EPERM = 1
const ENOSYS = 38
const LOW_HALF = 0xffffffff
const ARCHITECTURES = { x86_64: 'SCMP_ARCH_X86_64', aarch64: 'SCMP_ARCH_AARCH64' } as const
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: what `clone` must not have, whatever else it has. */
const CLONE_NAMESPACES = 0x7e020000

/**
 * What a run needed, and what a profile that was learned before has, so that runs add up. Throws INVALID_ARGUMENT where `before` is no profile
 * or one that says more than this writes.
 */
export function learnedProfile(report: SystemCallReport, before: { readonly source: string; readonly json: string } | null): DockerProfile {
  const allowed = new Map<string, Map<string, DockerRule>>()
  const allow = (rule: DockerRule) => {
    for (const name of rule.names) {
      const rules = allowed.get(name) ?? new Map<string, DockerRule>()
      allowed.set(name, rules.set(JSON.stringify(rule.args ?? []), { ...rule, names: [name] }))
    }
  }
  if (before !== null) for (const rule of ownRules(before)) allow(rule)
  for (const name of UNTOLD) allow({ names: [name], action: 'SCMP_ACT_ALLOW' })
  for (const { call, values } of report.calls) if (!call.startsWith('syscall ')) allow(ruleOf(call as SyscallName, values))
  const plain = [...allowed].filter(([, rules]) => rules.has('[]')).map(([name]) => name)
  const conditional = [...allowed].filter(([name]) => !plain.includes(name)).flatMap(([, rules]) => [...rules.values()])
  const architecture = ownArchitecture()
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    archMap: architecture === null ? [] : [{ architecture: ARCHITECTURES[architecture], subArchitectures: [] }],
    syscalls: [
      { names: plain.sort(), action: 'SCMP_ACT_ALLOW' },
      ...conditional.sort((left, right) => compare(left, right)),
      // Libraries try it first and fall back to clone, whose flags a filter can see.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    ],
  }
}

/** How many different calls a profile lets through. */
export function allowedCalls({ syscalls }: Pick<DockerProfile, 'syscalls'>): number {
  return new Set(syscalls.filter(({ action }) => action === 'SCMP_ACT_ALLOW').flatMap(({ names }) => names)).size
}

function ruleOf(name: SyscallName, values: Readonly<Record<string, number>>): DockerRule {
  const action = 'SCMP_ACT_ALLOW' as const
  if (name === 'clone') return { names: [name], action, args: [condition(0, CLONE_NAMESPACES, 0)] }
  if (VALUES[name] === undefined) return { names: [name], action }
  return { names: [name], action, args: Object.entries(values).map(([index, value]) => condition(Number(index), LOW_HALF, value)) }
}

/** The kernel looks at the low half alone, whatever stands above. */
function condition(index: number, mask: number, value: number) {
  return { index, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' as const }
}

/** What a profile of ours lets through. Anything else in it would be lost, so that is an error. */
function ownRules({ source, json }: { readonly source: string; readonly json: string }): readonly DockerRule[] {
  const { defaultAction, syscalls } = parseSeccompProfile(json, source)
  const isFallback = ({ names, action, errnoRet }: ProfileRule) =>
    names.join() === 'clone3' && action === 'SCMP_ACT_ERRNO' && errnoRet === ENOSYS
  const rules = syscalls.filter((rule) => !isFallback(rule))
  const isOurs = ({ action, args, includes, excludes }: ProfileRule) =>
    action === 'SCMP_ACT_ALLOW' &&
    args.every(({ comparison }) => comparison === 'masked-equal') &&
    [includes, excludes].every(({ caps, arches, minKernel }) => caps.length === 0 && arches.length === 0 && minKernel === null)
  if (defaultAction !== 'SCMP_ACT_ERRNO' || !rules.every(isOurs))
    throw new EngineError('INVALID_ARGUMENT', `seccomp profile ${source} was not written by wolffia learn, so nothing can be added to it`, {
      hint: 'Name another file with -o, or move this one away.',
    })
  return rules.map(({ names, args }) => {
    const kept = args.map(({ index, value, valueTwo }) => condition(index, Number(value), Number(valueTwo)))
    return { names, action: 'SCMP_ACT_ALLOW', ...(kept.length === 0 ? {} : { args: kept }) }
  })
}

function compare(left: DockerRule, right: DockerRule): number {
  return JSON.stringify([left.names, left.args]) < JSON.stringify([right.names, right.args]) ? -1 : 1
}
