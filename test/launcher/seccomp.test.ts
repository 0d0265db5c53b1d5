import * as assert from 'uvu/assert'
import type { ArgumentTest, Rule } from '../../src/launcher/bpf.js'
import { ACTIONS } from '../../src/launcher/bpf.js'
import type { Architecture } from '../../src/launcher/seccomp.js'
import { ruleFor, seccompProgram } from '../../src/launcher/seccomp.js'
import type { SyscallName } from '../../src/launcher/syscalls.js'
import { SYSCALLS } from '../../src/launcher/syscalls.js'
import { decide } from '../support/bpf-machine.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/seccomp')
const AUDIT = { x86_64: 0xc000003e, aarch64: 0xc00000b7 } as const
const I386 = 0x40000003
const EPERM = ACTIONS.errno + 1
const ENOSYS = ACTIONS.errno + 38

/** The policy of wolffia's own compares arguments with lists and in no other way. */
function isTest(rule: Rule): rule is ArgumentTest {
  return typeof rule !== 'string' && 'argument' in rule
}

/** What the policy, read as data, says about a call. */
function expected(rule: Rule, args: readonly bigint[]): number {
  if (rule === 'allow') return ACTIONS.allow
  if (rule === 'kill') return ACTIONS.killProcess
  if ('errno' in rule) return ACTIONS.errno + rule.errno
  if (!isTest(rule)) throw new Error('a rule of another kind')
  const value = Number(BigInt.asUintN(32, args[rule.argument] ?? 0n))
  const masked = rule.mask === undefined ? value : (value & rule.mask) >>> 0
  return expected(rule.equals.includes(masked) ? rule.matching : rule.otherwise, args)
}

/** Values worth trying for the arguments of a rule: each one it compares with, its neighbours, and the same with a dirty upper half. */
function interestingArguments(rule: Rule): bigint[][] {
  const values = new Map<number, Set<bigint>>()
  const visit = (inner: Rule): void => {
    if (!isTest(inner)) return
    const { argument, equals, matching, otherwise } = inner
    const known = values.get(argument) ?? new Set([0n, 1n, 2n, 3n, 5n, 10n, 16n, 17n, 38n, 40n, 0x10000000n, 0xffffffffn])
    for (const value of equals) for (const near of [value - 1, value, value + 1]) known.add(BigInt.asUintN(64, BigInt(near)))
    values.set(argument, known)
    visit(matching)
    visit(otherwise)
  }
  visit(rule)
  let combinations: bigint[][] = [[]]
  for (let index = 0; index < 3; index++) {
    const tried = [...(values.get(index) ?? [0n])]
    combinations = combinations.flatMap((before) => tried.map((value) => [...before, value]))
  }
  return combinations.flatMap((args) => [args, args.map((value) => value | (0xdeadbeefn << 32n))])
}

for (const architecture of ['x86_64', 'aarch64'] as const) {
  const program = seccompProgram(architecture)
  const column = architecture === 'x86_64' ? 0 : 1

  test(`every call of the ${architecture} table is decided as the policy says, with every argument worth trying`, () => {
    for (const [name, numbers] of Object.entries(SYSCALLS)) {
      const number = numbers[column]
      if (number === null) continue
      const rule = ruleFor(name as SyscallName)
      for (const args of interestingArguments(rule))
        assert.is(decide(program, AUDIT[architecture], number, args), expected(rule, args), `${name}(${args})`)
    }
  })

  test(`numbers that the ${architecture} table lacks answer ENOSYS`, () => {
    const known = new Set<number | null>(Object.values(SYSCALLS).map((numbers) => numbers[column]))
    for (let number = 0; number < 1024; number++)
      if (!known.has(number)) assert.is(decide(program, AUDIT[architecture], number), ENOSYS, `${number}`)
  })

  test(`another calling convention is killed, whatever the number (${architecture})`, () => {
    const other: Architecture = architecture === 'x86_64' ? 'aarch64' : 'x86_64'
    for (const audit of [I386, AUDIT[other], 0, 0x40000028])
      for (let number = 0; number < 512; number++) assert.is(decide(program, audit, number), ACTIONS.killProcess)
  })

  test(`the ${architecture} program is short and any decision takes few steps`, () => {
    assert.ok(program.length / 8 < 300, `${program.length / 8} instructions`)
  })
}

test('x32 calls are killed', () => {
  const program = seccompProgram('x86_64')
  for (const number of [0x40000000, 0x40000001, 0x40000200, 0x7fffffff, 0xffffffff])
    assert.is(decide(program, AUDIT.x86_64, number), ACTIONS.killProcess)
})

test('what SECURITY.md says is refused, is refused', () => {
  const program = seccompProgram('x86_64')
  const answer = (name: SyscallName, ...args: bigint[]) => decide(program, AUDIT.x86_64, SYSCALLS[name][0] ?? -1, args)
  const refused: SyscallName[] = [
    'mount',
    'umount2',
    'fsopen',
    'fsmount',
    'fsconfig',
    'fspick',
    'open_tree',
    'move_mount',
    'mount_setattr',
    'pivot_root',
    'unshare',
    'setns',
    'bpf',
    'perf_event_open',
    'io_uring_setup',
    'io_uring_enter',
    'io_uring_register',
    'userfaultfd',
    'keyctl',
    'add_key',
    'request_key',
    'kexec_load',
    'kexec_file_load',
    'init_module',
    'finit_module',
    'delete_module',
    'reboot',
    'swapon',
    'swapoff',
    'open_by_handle_at',
    'syslog',
    'quotactl',
    'quotactl_fd',
    'acct',
    'settimeofday',
    'clock_settime',
    'vhangup',
    'iopl',
    'ioperm',
    'modify_ldt',
    'fanotify_init',
    'lookup_dcookie',
    'uselib',
    'sethostname',
  ]
  for (const name of refused) assert.is(answer(name), EPERM, name)
  assert.is(answer('clone3'), ENOSYS)
  assert.is(answer('clone', 0x10000000n | 17n), EPERM)
  assert.is(answer('clone', 0x3d0f00n), ACTIONS.allow)
  assert.is(answer('ioctl', 0n, 0x5412n), EPERM)
  assert.is(answer('ioctl', 0n, 0x100005412n), EPERM)
  assert.is(answer('ioctl', 0n, 0x5413n), ACTIONS.allow)
  assert.is(answer('personality', 0x40000n), EPERM)
  assert.is(answer('socket', 40n, 1n, 0n), ACTIONS.errno + 97)
  assert.is(answer('socket', 38n, 5n, 0n), ACTIONS.errno + 97)
  assert.is(answer('socket', 17n, 3n, 0n), ACTIONS.errno + 97)
  assert.is(answer('socket', 2n, 3n, 1n), EPERM)
  assert.is(answer('socket', 2n, 1n | 0o2004000n, 6n), ACTIONS.allow)
})

test.run()
