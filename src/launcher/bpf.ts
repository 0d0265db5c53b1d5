/**
 * Classic BPF as seccomp runs it: a decision for each system call, compiled to a binary search over ranges of numbers. A range
 * tree loads six times faster than a list of comparisons and decides in a few steps.
 */

/** What is to happen to a call: let through, refuse with an errno, or kill the process. */
export type Decision = 'allow' | 'kill' | { readonly errno: number }

/**
 * A decision that depends on an argument. Only its low 32 bits are looked at: every argument tested here is an `int` or a flag
 * word of 32 bits to the kernel, whatever the upper half of the register holds.
 */
export interface ArgumentTest {
  readonly argument: 0 | 1 | 2 | 3 | 4 | 5
  /** Bits to look at; all when absent. */
  readonly mask?: number
  readonly equals: readonly number[]
  readonly matching: Rule
  readonly otherwise: Rule
}

/** What a policy says about one call. */
export type Rule = Decision | ArgumentTest

/** One instruction: `struct sock_filter`. */
export interface Instruction {
  readonly code: number
  readonly jumpTrue: number
  readonly jumpFalse: number
  readonly value: number
}

/** Opcodes used here (linux/bpf_common.h). */
export const OPCODES = {
  load: 0x20,
  and: 0x54,
  jump: 0x05,
  jumpIfEqual: 0x15,
  jumpIfGreaterOrEqual: 0x35,
  return: 0x06,
} as const

/** Actions (linux/seccomp.h). An errno is added to the second. */
export const ACTIONS = { allow: 0x7fff0000, errno: 0x00050000, killProcess: 0x80000000 } as const

/** Offsets in `struct seccomp_data`. */
export const DATA_OFFSETS = { number: 0, architecture: 4, argument: (index: number) => 16 + 8 * index } as const

const LONGEST_JUMP = 255

function instruction(code: number, value: number, jumpTrue = 0, jumpFalse = 0): Instruction {
  if (jumpTrue > LONGEST_JUMP || jumpFalse > LONGEST_JUMP) throw new Error('a rule is too long for a conditional jump')
  return { code, jumpTrue, jumpFalse, value }
}

function compileDecision(decision: Decision): Instruction[] {
  if (decision === 'allow') return [instruction(OPCODES.return, ACTIONS.allow)]
  if (decision === 'kill') return [instruction(OPCODES.return, ACTIONS.killProcess)]
  return [instruction(OPCODES.return, ACTIONS.errno + decision.errno)]
}

function compileRule(rule: Rule): Instruction[] {
  if (typeof rule === 'string' || 'errno' in rule) return compileDecision(rule)
  const otherwise = compileRule(rule.otherwise)
  const matching = compileRule(rule.matching)
  const comparisons = rule.equals.map((value, index) =>
    instruction(OPCODES.jumpIfEqual, value, rule.equals.length - 1 - index + otherwise.length, 0),
  )
  return [
    instruction(OPCODES.load, DATA_OFFSETS.argument(rule.argument)),
    ...(rule.mask === undefined ? [] : [instruction(OPCODES.and, rule.mask)]),
    ...comparisons,
    ...otherwise,
    ...matching,
  ]
}

/** Numbers from `first` up to the next range's first. */
interface Range {
  readonly first: number
  readonly rule: Rule
}

/** Neighbours with the same decision are one range. */
function rangesOf(rules: ReadonlyMap<number, Rule>, unknown: Decision): Range[] {
  const ranges: Range[] = []
  const highest = Math.max(...rules.keys())
  for (let number = 0; number <= highest + 1; number++) {
    const rule = rules.get(number) ?? unknown
    if (JSON.stringify(ranges.at(-1)?.rule) !== JSON.stringify(rule)) ranges.push({ first: number, rule })
  }
  return ranges
}

function compileTree(ranges: readonly Range[]): Instruction[] {
  const [only] = ranges
  if (only !== undefined && ranges.length === 1) return compileRule(only.rule)
  const middle = ranges.length >> 1
  const low = compileTree(ranges.slice(0, middle))
  const high = compileTree(ranges.slice(middle))
  const bound = ranges[middle]?.first ?? 0
  const branch =
    low.length <= LONGEST_JUMP
      ? [instruction(OPCODES.jumpIfGreaterOrEqual, bound, low.length, 0)]
      : [instruction(OPCODES.jumpIfGreaterOrEqual, bound, 0, 1), instruction(OPCODES.jump, low.length)]
  return [...branch, ...low, ...high]
}

/** What {@link compileFilter} needs. */
export interface FilterSource {
  /** AUDIT_ARCH_… of the only calling convention let through; a call by another kills. */
  readonly architecture: number
  readonly rules: ReadonlyMap<number, Rule>
  /** For numbers without a rule. */
  readonly unknown: Decision
  /** Numbers from here on kill: x32's bit on x86-64. */
  readonly killFrom: number | null
}

/** The whole program. The architecture comes first: a number means nothing before it is known whose it is. */
export function compileFilter({ architecture, rules, unknown, killFrom }: FilterSource): Instruction[] {
  const ranges = rangesOf(rules, unknown)
  if (killFrom !== null) ranges.push({ first: killFrom, rule: 'kill' })
  return [
    instruction(OPCODES.load, DATA_OFFSETS.architecture),
    instruction(OPCODES.jumpIfEqual, architecture, 1, 0),
    ...compileDecision('kill'),
    instruction(OPCODES.load, DATA_OFFSETS.number),
    ...compileTree(ranges),
  ]
}

/** Bytes of a program as the kernel takes it: `struct sock_filter[]`, little-endian. */
export function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8)
  const view = new DataView(bytes.buffer)
  program.forEach(({ code, jumpTrue, jumpFalse, value }, index) => {
    view.setUint16(index * 8, code, true)
    view.setUint8(index * 8 + 2, jumpTrue)
    view.setUint8(index * 8 + 3, jumpFalse)
    view.setUint32(index * 8 + 4, value, true)
  })
  return bytes
}
