import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { ACTIONS } from '../../src/launcher/bpf.js'
import { compileProfile, type ProfileTarget } from '../../src/launcher/profile-program.js'
import { ARCHITECTURES } from '../../src/launcher/seccomp.js'
import { parseSeccompProfile, type SeccompProfile } from '../../src/launcher/seccomp-profile.js'
import { SYSCALLS, type SyscallName } from '../../src/launcher/syscalls.js'
import { decide } from '../support/bpf-machine.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/seccomp-profile')
const ARCHITECTURE_NAMES = ['x86_64', 'aarch64'] as const
const EPERM = ACTIONS.errno + 1
const ENOSYS = ACTIONS.errno + 38
/** Without which the launcher starts nothing. */
const STARTING = ['read', 'close', 'sendmsg', 'recvfrom', 'rt_sigaction', 'rt_sigprocmask', 'mmap', 'execve']
const ALLOW_STARTING = { names: STARTING, action: 'SCMP_ACT_ALLOW' }
/** Beyond the highest number that is named the answer would be ENOSYS. */
const LAST = { names: ['fchmodat2'], action: 'SCMP_ACT_ALLOW' }

const target = (change: Partial<ProfileTarget> = {}): ProfileTarget => ({
  source: 'p.json',
  architecture: 'x86_64',
  capabilities: ['CHOWN'],
  kernel: [6, 1],
  ...change,
})
const parsed = (profile: unknown) => parseSeccompProfile(JSON.stringify(profile), 'p.json')
const compiled = (profile: unknown, change: Partial<ProfileTarget> = {}) => compileProfile(parsed(profile), target(change))

/** What a program answers to a call by name. */
function answer(bytes: Uint8Array, name: SyscallName, args: readonly bigint[] = [], architecture: 'x86_64' | 'aarch64' = 'x86_64'): number {
  const { column, audit } = ARCHITECTURES[architecture]
  return decide(bytes, audit, SYSCALLS[name][column] ?? -1, args)
}

function errorOf(action: () => unknown): EngineError {
  try {
    action()
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const messageOf = (text: string) => errorOf(() => parseSeccompProfile(text, 'p.json')).message

// -- what a profile means, told a second time and with nothing of the compiler's

interface Entry {
  readonly names: readonly string[]
  readonly action: string
  readonly errnoRet?: number
  readonly args?: readonly { index: number; value: string; valueTwo: string; op: string }[]
}

interface Document {
  readonly defaultAction: string
  readonly defaultErrnoRet?: number
  readonly syscalls: readonly Entry[]
}

const RETURNS: Readonly<Record<string, number>> = {
  SCMP_ACT_ALLOW: ACTIONS.allow,
  SCMP_ACT_LOG: ACTIONS.log,
  SCMP_ACT_KILL: ACTIONS.killThread,
  SCMP_ACT_KILL_THREAD: ACTIONS.killThread,
  SCMP_ACT_KILL_PROCESS: ACTIONS.killProcess,
  SCMP_ACT_TRAP: ACTIONS.trap,
}

function returned(action: string, errnoRet = 1): number {
  if (action === 'SCMP_ACT_ERRNO') return ACTIONS.errno + errnoRet
  if (action === 'SCMP_ACT_TRACE') return ACTIONS.trace + errnoRet
  return RETURNS[action] ?? -1
}

function isTrue({ index, value, valueTwo, op }: NonNullable<Entry['args']>[number], args: readonly bigint[]): boolean {
  const [given, wanted, second] = [args[index] ?? 0n, BigInt(value), BigInt(valueTwo)]
  switch (op) {
    case 'SCMP_CMP_NE':
      return given !== wanted
    case 'SCMP_CMP_LT':
      return given < wanted
    case 'SCMP_CMP_LE':
      return given <= wanted
    case 'SCMP_CMP_EQ':
      return given === wanted
    case 'SCMP_CMP_GE':
      return given >= wanted
    case 'SCMP_CMP_GT':
      return given > wanted
    default:
      return (given & wanted) === (second & wanted)
  }
}

function expected(profile: Document, name: string, args: readonly bigint[]): number {
  const entries = profile.syscalls.filter(({ names }) => names.includes(name))
  const plain = entries.find(({ args: conditions = [] }) => conditions.length === 0)
  const matching = entries.find(({ args: conditions = [] }) => {
    const isTwice = new Set(conditions.map(({ index }) => index)).size < conditions.length
    return isTwice ? conditions.some((condition) => isTrue(condition, args)) : conditions.every((condition) => isTrue(condition, args))
  })
  const entry = plain ?? matching
  return entry === undefined ? returned(profile.defaultAction, profile.defaultErrnoRet) : returned(entry.action, entry.errnoRet)
}

const NAMES = Object.keys(SYSCALLS) as SyscallName[]
const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((name) => `SCMP_CMP_${name}`)
/** Few, so that conditions meet the arguments they are about; with both halves of the register in play. */
const NUMBERS = [0n, 1n, 2n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, 0x100000001n, 2n ** 63n, 2n ** 64n - 1n, 2114060288n]
const number = fc.oneof(fc.constantFrom(...NUMBERS), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
const action = fc.constantFrom(
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
)
const entry = fc.record(
  {
    // Of a handful, so that rules meet.
    names: fc.array(fc.constantFrom('socket', 'clone', 'ioctl', 'mkdirat', 'personality', 'nosuchcall', 'prctl'), {
      minLength: 1,
      maxLength: 3,
    }),
    action,
    errnoRet: fc.integer({ min: 0, max: 4095 }),
    args: fc.array(
      fc.record({
        index: fc.integer({ min: 0, max: 5 }),
        value: number.map(String),
        valueTwo: number.map(String),
        op: fc.constantFrom(...OPERATORS),
      }),
      { maxLength: 4 },
    ),
  },
  { requiredKeys: ['names', 'action'] },
)
const profiles = fc.record(
  { defaultAction: action, defaultErrnoRet: fc.integer({ min: 0, max: 4095 }), syscalls: fc.array(entry, { maxLength: 8 }) },
  { requiredKeys: ['defaultAction', 'syscalls'] },
)

/** JSON with numbers where the model keeps text, since they have 64 bits. */
function jsonOf(document: Document): string {
  return JSON.stringify(document).replace(/"(value|valueTwo)":"(\d+)"/g, '"$1":$2')
}

for (const architecture of ARCHITECTURE_NAMES) {
  test(`any profile decides any call as its JSON says, with all 64 bits of its arguments (${architecture})`, () => {
    fc.assert(
      fc.property(
        profiles,
        fc.array(fc.array(number, { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 12 }),
        (random, calls) => {
          const document: Document = {
            ...random,
            syscalls: [...random.syscalls, ALLOW_STARTING, LAST],
          } as Document
          const { bytes } = compileProfile(parseSeccompProfile(jsonOf(document), 'p.json'), target({ architecture }))
          const tried = new Set([...document.syscalls.flatMap(({ names }) => names), 'getpid', 'mkdirat'])
          for (const name of tried) {
            const numbers = SYSCALLS[name as SyscallName] as readonly (number | null)[] | undefined
            const column = ARCHITECTURES[architecture].column
            if (numbers === undefined || numbers[column] === null) continue
            for (const args of calls) {
              const exact = document.syscalls
                .filter(({ names }) => names.includes(name))
                .flatMap(({ args: conditions = [] }) => conditions)
                .reduce((all, { index, value }) => all.with(index, BigInt(value)), args)
              for (const used of [args, exact])
                assert.is(answer(bytes, name as SyscallName, used, architecture), expected(document, name, used), `${name}(${used})`)
            }
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  test(`another calling convention kills whatever a profile allows (${architecture})`, () => {
    const everything = {
      defaultAction: 'SCMP_ACT_ALLOW',
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] }],
    }
    const { bytes } = compiled(everything, { architecture })
    assert.is(answer(bytes, 'setns', [], architecture), ACTIONS.allow)
    for (const audit of [0x40000003, 0x40000028, architecture === 'x86_64' ? 0xc00000b7 : 0xc000003e])
      assert.is(decide(bytes, audit, 1), ACTIONS.killProcess)
    if (architecture === 'x86_64') assert.is(decide(bytes, ARCHITECTURES.x86_64.audit, 0x40000001), ACTIONS.killProcess)
  })
}

test('rules are those that the capabilities, the processor and the kernel let be: all to include, one to exclude', () => {
  const [yes, no] = [ACTIONS.allow, EPERM]
  const both = ['CAP_SYS_ADMIN', 'CAP_SYS_PTRACE']
  const answerTo = (scope: object, change: Partial<ProfileTarget> = {}) => {
    const rule = { names: ['mount'], action: 'SCMP_ACT_ALLOW', ...scope }
    const { bytes } = compiled({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [ALLOW_STARTING, rule, LAST] }, change)
    return answer(bytes, 'mount', [], change.architecture)
  }
  assert.is(answerTo({}), yes)
  assert.is(answerTo({ includes: { caps: both } }, { capabilities: ['SYS_ADMIN'] }), no)
  assert.is(answerTo({ includes: { caps: both } }, { capabilities: ['SYS_ADMIN', 'SYS_PTRACE'] }), yes)
  assert.is(answerTo({ excludes: { caps: both } }, { capabilities: ['SYS_PTRACE'] }), no)
  assert.is(answerTo({ excludes: { caps: both } }, { capabilities: [] }), yes)
  assert.is(answerTo({ includes: { arches: ['arm64'] } }), no)
  assert.is(answerTo({ includes: { arches: ['arm64', 'x32'] } }, { architecture: 'aarch64' }), yes)
  assert.is(answerTo({ excludes: { arches: ['amd64'] } }), no)
  assert.is(answerTo({ includes: { minKernel: '4.8' } }, { kernel: [4, 7] }), no)
  assert.is(answerTo({ includes: { minKernel: '4.8' } }, { kernel: [4, 10] }), yes)
  assert.is(answerTo({ excludes: { minKernel: '4.8' } }, { kernel: [5, 0] }), no)
})

test('calls that are newer than any a profile names answer ENOSYS where it would refuse them, and what is between is refused', () => {
  const { bytes } = compiled({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [ALLOW_STARTING] })
  assert.is(answer(bytes, 'write'), EPERM)
  assert.is(answer(bytes, 'clone3'), ENOSYS)
  const letsThrough = compiled({ defaultAction: 'SCMP_ACT_LOG', syscalls: [{ names: ['write'], action: 'SCMP_ACT_ERRNO', errnoRet: 5 }] })
  assert.is(answer(letsThrough.bytes, 'clone3'), ACTIONS.log)
  assert.is(answer(letsThrough.bytes, 'write'), ACTIONS.errno + 5)
})

test('names that are no call are passed over and counted, and old profiles with one name a rule are read', () => {
  const { unknownNames, bytes } = compiled({
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86_64'],
    syscalls: [
      { name: 'mkdir', action: 'SCMP_ACT_ERRNO', args: null, comment: 'none' },
      { names: ['umask_of_tomorrow', 'constructor', '__proto__'], action: 'SCMP_ACT_KILL' },
    ],
  })
  assert.is(unknownNames, 3)
  assert.is(answer(bytes, 'mkdir'), EPERM)
})

test("a profile of the shape of docker's own compiles for both processors, and decides as it means to", () => {
  const text = readFileSync('test/fixtures/seccomp-profile.json', 'utf8')
  for (const architecture of ARCHITECTURE_NAMES) {
    const program = (capabilities: readonly string[]) =>
      compileProfile(parseSeccompProfile(text, 'own.json'), target({ architecture, capabilities })).bytes
    const plain = program(['CHOWN'])
    assert.ok(plain.length / 8 < 1000, `${plain.length / 8} instructions`)
    const call = (name: SyscallName, ...args: bigint[]) => answer(plain, name, args, architecture)
    assert.is(call('openat'), ACTIONS.allow)
    assert.is(call('mount'), EPERM)
    assert.is(call('clone', 0x3d0f00n), ACTIONS.allow)
    assert.is(call('clone', 0x10000000n), EPERM)
    assert.is(call('clone3'), ENOSYS)
    assert.is(call('socket', 40n), EPERM)
    assert.is(call('socket', 2n), ACTIONS.allow)
    assert.is(call('personality', 0x20008n), ACTIONS.allow)
    assert.is(call('personality', 0x20009n), EPERM)
    assert.is(answer(program(['SYS_ADMIN']), 'mount', [], architecture), ACTIONS.allow)
    assert.is(answer(program(['SYS_ADMIN']), 'clone', [0x10000000n], architecture), ACTIONS.allow)
  }
})

test('a mistake is told with the file, the place in it and what stands there', () => {
  assert.match(messageOf('{"defaultAction": }'), /^seccomp profile p\.json is no JSON: .*/)
  assert.is(messageOf('[]'), 'seccomp profile p.json: the profile must be an object, not []')
  assert.match(messageOf('{"syscalls":[]}'), /defaultAction must be one of SCMP_ACT_ALLOW.*, not nothing$/)
  const rule = (text: string) =>
    messageOf(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_KILL"},${text}]}`)
  assert.match(rule('{"names":["a"],"action":"SCMP_ACT_DENY"}'), /syscalls\[1\]\.action must be one of .*, not "SCMP_ACT_DENY"$/)
  assert.match(rule('{"names":["a"],"name":"b","action":"SCMP_ACT_KILL"}'), /syscalls\[1\]\.name stands beside names/)
  assert.match(rule('{"action":"SCMP_ACT_KILL"}'), /syscalls\[1\] names no call$/)
  assert.match(rule('{"names":["a"],"action":"SCMP_ACT_KILL","actoin":1}'), /syscalls\[1\] has a member "actoin", which no profile has/)
  assert.match(
    rule('{"names":["a"],"action":"SCMP_ACT_ERRNO","errnoRet":5000}'),
    /syscalls\[1\]\.errnoRet must be a whole number up to 4095, not 5000$/,
  )
  const condition = (text: string) => rule(`{"names":["a"],"action":"SCMP_ACT_KILL","args":[${text}]}`)
  assert.match(condition('{"index":6,"op":"SCMP_CMP_EQ"}'), /syscalls\[1\]\.args\[0\]\.index must be 0 to 5, not 6$/)
  assert.match(condition('{"index":0,"op":"EQ"}'), /args\[0\]\.op must be one of SCMP_CMP_NE.*, not "EQ"$/)
  for (const value of ['-1', '1.5', '18446744073709551616', '"1"', '1e30'])
    assert.match(
      condition(`{"index":0,"op":"SCMP_CMP_EQ","value":${value}}`),
      /args\[0\]\.value must be a whole number of 64 bits without a sign/,
    )
  assert.match(
    rule('{"names":["a"],"action":"SCMP_ACT_KILL","includes":{"minKernel":"4"}}'),
    /includes\.minKernel must be two numbers like "4\.8", not "4"$/,
  )
})

test('what is known and not built is refused by its name', () => {
  const codeOf = (profile: object) => errorOf(() => parsed({ defaultAction: 'SCMP_ACT_ALLOW', ...profile }))
  for (const profile of [
    { flags: ['SECCOMP_FILTER_FLAG_LOG'] },
    { listenerPath: '/run/x' },
    { syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] },
  ])
    assert.is(codeOf(profile).code, 'NOT_BUILT')
})

test('a profile under which nothing starts is refused, and one that is too long', () => {
  const { message } = errorOf(() =>
    compiled({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ ...ALLOW_STARTING, names: STARTING.slice(0, -1) }] }),
  )
  assert.is(message, 'seccomp profile p.json refuses execve, without which no program is started')
  assert.match(
    errorOf(() => compiled({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mmap'], action: 'SCMP_ACT_KILL' }] })).message,
    /refuses mmap/,
  )
  // Neighbours with the same rule would be one.
  const args = (value: number) => [0, 1, 2, 3, 4, 5].map((index) => ({ index, value, op: 'SCMP_CMP_GT' }))
  const long = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: NAMES.slice(0, 200).map((name, at) => ({ names: [name], action: 'SCMP_ACT_LOG', args: args(at) })),
  }
  assert.match(errorOf(() => compiled(long)).message, /^seccomp profile p\.json is too long: \d+ instructions$/)
})

test('a profile is kept as JSON without losing a bit', () => {
  const text = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_KILL","args":[{"index":0,"op":"SCMP_CMP_EQ","value":18446744073709551615,"valueTwo":9007199254740993}]}]}`
  const profile: SeccompProfile = parseSeccompProfile(text, 'p.json')
  assert.equal(JSON.parse(JSON.stringify(profile)), profile)
  assert.equal([profile.syscalls[0]?.args[0]?.value, profile.syscalls[0]?.args[0]?.valueTwo], ['18446744073709551615', '9007199254740993'])
})

test.run()
