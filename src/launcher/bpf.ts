/**
 * Classic BPF as seccomp runs it: a decision for each system call, compiled to a binary search over ranges of numbers. A range
 * tree loads six times faster than a list of comparisons and decides in a few steps.
 */

/**
 * What is to happen to a call: let through, refuse with an errno, kill the process, or whatever the kernel makes of a filter's
 * value (`SECCOMP_RET_…`).
 */
export type Decision = 'allow' | 'kill' | { readonly errno: number } | { readonly returns: number }

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

/** How an argument is compared, all 64 bits of it and without a sign. `masked-equal` looks at the bits of `mask` alone. */
export type Comparison = 'equal' | 'not-equal' | 'less' | 'less-or-equal' | 'greater' | 'greater-or-equal' | 'masked-equal'

/** A number of 64 bits in two halves, each without a sign. */
export interface Halves {
  readonly high: number
  readonly low: number
}

/** One condition on an argument. */
export interface Condition {
  readonly argument: 0 | 1 | 2 | 3 | 4 | 5
  readonly comparison: Comparison
  readonly value: Halves
  /** Of `masked-equal`. */
  readonly mask?: Halves
}

/** The first of `cases` all of whose conditions hold decides, else `otherwise`. */
export interface Cases {
  readonly cases: readonly { readonly conditions: readonly Condition[]; readonly decision: Decision }[]
  readonly otherwise: Decision
}

/** What a policy says about one call. */
export type Rule = Decision | ArgumentTest | Cases

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
  jumpIfGreater: 0x25,
  jumpIfGreaterOrEqual: 0x35,
  return: 0x06,
} as const

/** Actions (linux/seccomp.h). An errno is added to `errno`, a number for the tracer to `trace`. */
export const ACTIONS = {
  allow: 0x7fff0000,
  log: 0x7ffc0000,
  trace: 0x7ff00000,
  errno: 0x00050000,
  trap: 0x00030000,
  killThread: 0x00000000,
  killProcess: 0x80000000,
} as const

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
  return [instruction(OPCODES.return, 'errno' in decision ? ACTIONS.errno + decision.errno : decision.returns)]
}

function isDecision(rule: Rule): rule is Decision {
  return typeof rule === 'string' || 'errno' in rule || 'returns' in rule
}

/** Where a comparison goes: on to the next instruction, or out of the conditions. */
type Target = 'holds' | 'fails' | 'next'

/** An instruction whose jumps lead to the end of its condition or out of them all. */
interface Step {
  readonly code: number
  readonly value: number
  readonly jumpTrue: Target
  readonly jumpFalse: Target
}

/** Its steps: the high half first, where mostly all is decided. */
function stepsOf({ argument, comparison, value, mask }: Condition): readonly Step[] {
  const half = (name: keyof Halves): Step[] => {
    const offset = DATA_OFFSETS.argument(argument) + (name === 'high' ? 4 : 0)
    const bits = comparison === 'masked-equal' ? (mask?.[name] ?? 0xffffffff) : 0xffffffff
    const load: Step = { code: OPCODES.load, value: offset, jumpTrue: 'next', jumpFalse: 'next' }
    return bits === 0xffffffff ? [load] : [load, { code: OPCODES.and, value: bits, jumpTrue: 'next', jumpFalse: 'next' }]
  }
  const compare = (code: number, name: keyof Halves, jumpTrue: Target, jumpFalse: Target): Step => {
    return { code, value: value[name], jumpTrue, jumpFalse }
  }
  const { jumpIfEqual, jumpIfGreater, jumpIfGreaterOrEqual } = OPCODES
  switch (comparison) {
    case 'equal':
    case 'masked-equal':
      return [...half('high'), compare(jumpIfEqual, 'high', 'next', 'fails'), ...half('low'), compare(jumpIfEqual, 'low', 'holds', 'fails')]
    case 'not-equal':
      return [...half('high'), compare(jumpIfEqual, 'high', 'next', 'holds'), ...half('low'), compare(jumpIfEqual, 'low', 'fails', 'holds')]
    default: {
      const isGreater = comparison.startsWith('greater')
      const last = comparison === 'greater' || comparison === 'less-or-equal' ? jumpIfGreater : jumpIfGreaterOrEqual
      const [above, below]: [Target, Target] = isGreater ? ['holds', 'fails'] : ['fails', 'holds']
      return [
        ...half('high'),
        compare(jumpIfGreater, 'high', above, 'next'),
        compare(jumpIfEqual, 'high', 'next', below),
        ...half('low'),
        compare(last, 'low', above, below),
      ]
    }
  }
}

/** The conditions in a row and the decision behind them; whichever fails leads past that. */
function compileCase({ conditions, decision }: Cases['cases'][number]): Instruction[] {
  const decided = compileDecision(decision)
  const lists = conditions.map(stepsOf)
  const total = lists.reduce((sum, steps) => sum + steps.length, 0)
  let at = 0
  const compiled = lists.flatMap((steps) => {
    const end = at + steps.length
    return steps.map(({ code, value, jumpTrue, jumpFalse }) => {
      at++
      const distance = (target: Target) => (target === 'next' ? 0 : target === 'holds' ? end - at : total + decided.length - at)
      return instruction(code, value, distance(jumpTrue), distance(jumpFalse))
    })
  })
  return [...compiled, ...decided]
}

function compileRule(rule: Rule): Instruction[] {
  if (isDecision(rule)) return compileDecision(rule)
  if ('cases' in rule) return [...rule.cases.flatMap(compileCase), ...compileDecision(rule.otherwise)]
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
  const highest = Math.max(-1, ...rules.keys())
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
