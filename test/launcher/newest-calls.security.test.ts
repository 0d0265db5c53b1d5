/**
 * System calls that are newer than most programs, from 424 on, where both architectures have the same numbers: which are let through, and what the
 * others are answered. A call that is added to the table of numbers or to the policy is placed here, or the test fails.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { ACTIONS } from '../../src/launcher/bpf.js'
import { ARCHITECTURES, type Architecture, seccompProgram } from '../../src/launcher/seccomp.js'
import { SYSCALLS } from '../../src/launcher/syscalls.js'
import { decide } from '../support/bpf-machine.js'
import { compileGuest } from '../support/compile-guest.js'
import { withBox } from '../support/launcher-box.js'
import { BUSYBOX, CC, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/newest-calls')
const native = test.needs(NATIVE, BUSYBOX, CC)
const [FIRST, LAST_KNOWN, BEYOND] = [424, 471, 50]
const [EPERM, ENOSYS] = [1, 38]

/** They act on what the guest has already, and on no more of the kernel than older ones that do the same. */
const LET_THROUGH = `pidfd_send_signal pidfd_open close_range openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2 landlock_create_ruleset
  landlock_add_rule landlock_restrict_self memfd_secret process_mrelease futex_waitv cachestat fchmodat2 map_shadow_stack futex_wake futex_wait
  futex_requeue mseal setxattrat getxattrat listxattrat removexattrat`
/** Where a program could do without, but should be told that it may not: io_uring, mounts, quotas, memory policies. */
const REFUSED = `io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr quotactl_fd
  set_mempolicy_home_node open_tree_attr`
/** As if the kernel were older: there is an older way, which libraries then take. What has no name here is newer than the table. */
const UNKNOWN = 'clone3 statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules file_getattr file_setattr'

const words = (text: string) => text.split(/\s+/)

/** The errno of the policy for each number, null for one that is let through. */
function documented(): ReadonlyMap<number, number | null> {
  const answers = new Map<number, number | null>()
  for (let number = FIRST; number <= LAST_KNOWN + BEYOND; number++) answers.set(number, ENOSYS)
  const known = new Map<string, readonly (number | null)[]>(Object.entries(SYSCALLS))
  for (const [names, answer] of [
    [LET_THROUGH, null],
    [REFUSED, EPERM],
    [UNKNOWN, ENOSYS],
  ] as const)
    for (const name of words(names)) {
      const [number, other] = known.get(name) ?? []
      assert.ok(typeof number === 'number' && number >= FIRST && number === other, `${name}: ${number}, ${other}`)
      answers.set(number ?? 0, answer)
    }
  return answers
}

test('each call from 424 on is placed, and so is every one that the table has', () => {
  const placed = new Set([...words(LET_THROUGH), ...words(REFUSED), ...words(UNKNOWN)])
  const newer = Object.entries(SYSCALLS).filter(([, [number]]) => number !== null && number >= FIRST)
  assert.equal(
    newer.map(([name]) => name).filter((name) => !placed.has(name)),
    [],
  )
})

for (const architecture of ['x86_64', 'aarch64'] as const satisfies readonly Architecture[])
  test(`the ${architecture} filter answers each of them as it is documented, and ENOSYS to what comes next`, () => {
    const program = seccompProgram(architecture)
    for (const [number, answer] of documented())
      assert.is(
        decide(program, ARCHITECTURES[architecture].audit, number),
        answer === null ? ACTIONS.allow : ACTIONS.errno + answer,
        `${number}`,
      )
  })

test('calls of uprobes, which no program makes itself, are unknown (x86_64)', () => {
  for (const number of [335, 336]) assert.is(decide(seccompProgram('x86_64'), ARCHITECTURES.x86_64.audit, number), ACTIONS.errno + ENOSYS)
})

native('a guest that makes all of them is answered so by the kernel; what is let through is answered as outside', () =>
  withBox(async (box) => {
    const answersOf = (text: string) =>
      new Map(
        text
          .trim()
          .split('\n')
          .map((line) => line.split(' ').map(Number) as [number, number]),
      )
    await compileGuest('newest-calls', join(box.root, 'bin/calls'))
    const range = [`${FIRST}`, `${LAST_KNOWN + BEYOND}`]
    const outside = answersOf((await promisify(execFile)(join(box.root, 'bin/calls'), range)).stdout)
    const inside = answersOf((await box.run(['calls', ...range])).stdout)
    for (const [number, answer] of documented()) assert.is(inside.get(number), answer ?? outside.get(number), `call ${number}`)
  }),
)

test.run()
