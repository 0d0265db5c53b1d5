/**
 * Failed steps fail closed: each system call that a start takes is made to fail in turn. Then the guest has not run, what failed has a name and
 * nothing is left; or the guest runs in the very wall that it would have had.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { launch } from '../../src/launcher/client.js'
import { assetPath, seccompAsset } from '../../src/launcher/installation.js'
import type { ReceiptEvent } from '../../src/launcher/protocol.js'
import { compileGuest } from '../support/compile-guest.js'
import { faultsOf, STRACE, withFault, withLimit } from '../support/fault-launcher.js'
import { type Box, eventually, processesWith, withBox } from '../support/launcher-box.js'
import { BUSYBOX, CC, NATIVE } from '../support/requirements.js'
import { type Requirement, suite } from '../support/suite.js'

const test = suite('launcher/faults')
const faulty = test.needs(NATIVE, BUSYBOX, CC, STRACE)
/** Of one that is linked with the machine's C library (a sanitizer's build) a loader's calls come first, which nobody gives a name. */
const OWN_CALLS: Requirement = {
  name: 'own-calls',
  missing: async () =>
    process.env.WOLFFIA_LAUNCHER === undefined ? null : 'WOLFFIA_LAUNCHER names another launcher than the one that is installed',
}

/** These the kernel cannot refuse, or it does what it is asked for all the same (close(2)). */
const CANNOT_FAIL =
  `close exit exit_group rt_sigreturn rt_sigaction rt_sigprocmask munmap umask geteuid getpid getsid clock_gettime faccessat2
  wait4 rt_sigtimedwait`.split(/\s+/)
/** One capability as the other. */
const isTold = (line: string) => !/PR_CAPBSET_|PR_GET_DUMPABLE|LANDLOCK_CREATE_RULESET_VERSION/.test(line)
/** A start without one of these would not be what is tested here. */
const STEPS = `clone3 unshare setns mount move_mount mount_setattr pivot_root umount2 capset seccomp landlock_restrict_self prlimit64 setsid
  setresuid setresgid execveat execve prctl sethostname getdents64 sendmsg recvmsg`.split(/\s+/)
/** What is said to the caller: where that fails there is nobody to be told of it. */
const TO_CALLER = 'sendto'
/** What strace puts in place of a call that is to fail has no number, and the filter in force kills for it. */
const SIGSYS = 31

type Outcome =
  | { readonly failed: EngineError; readonly ran: boolean }
  | { readonly failed: null; readonly ran: boolean; readonly code: number | null; readonly signal: number | null; readonly wall: string }

/** All of a receipt that is the same for each container of a box. */
function wallOf(receipt: ReceiptEvent, leftOut: readonly string[] = []): string {
  const mounts = receipt.mountinfo.split('\n').map((line) => line.split(' ').slice(3).join(' '))
  const status = receipt.status.split('\n').filter((line) => /^(Cap|Seccomp|NoNewPrivs|Uid|Gid|Groups|Umask)/.test(line))
  const wall = { ...receipt, namespaces: Object.keys(receipt.namespaces), mountinfo: mounts, status }
  return JSON.stringify(Object.entries(wall).filter(([name]) => !leftOut.includes(name)))
}

async function runGuest(box: Box, leftOut: readonly string[] = []): Promise<Outcome> {
  const plan = box.plan(['/bin/guest', box.folder], {
    supervision: [
      ['output-limit', 100_000],
      ['time-limit', 10_000],
    ],
    guest: [
      ['rlimit', 'nofile', 100, 100],
      ['oom-score-adjust', 500],
    ],
  })
  // Given as bytes, which no spawner takes: it would be the spawner that is made to fail.
  const seccompProgram = readFileSync(assetPath(seccompAsset() ?? 'none'))
  const launcher = launch(plan, { stdio: ['ignore', 'pipe', 'ignore'], seccompProgram })
  let said = ''
  launcher.stdout?.on('data', (chunk) => {
    said += chunk
  })
  const outcome = await (async (): Promise<Outcome> => {
    try {
      const { receipt } = await launcher.ready
      await launcher.go()
      const { code, signal } = await launcher.exited
      return { failed: null, ran: false, code, signal, wall: wallOf(receipt, leftOut) }
    } catch (error) {
      const killed = await launcher.exited.catch(() => null)
      return killed?.signal === SIGSYS ? { failed: null, ran: false, ...killed, wall: '' } : { failed: error as EngineError, ran: false }
    }
  })()
  await eventually('nothing is left', () => processesWith(box.folder).length === 0)
  return { ...outcome, ran: said !== '' }
}

async function withGuest(body: (box: Box) => Promise<void>): Promise<void> {
  await withBox(async (box) => {
    await compileGuest('bare-guest', join(box.root, 'bin/guest'), ['-nostdlib'])
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    await body(box)
    assert.is(readFileSync('/proc/self/mountinfo', 'utf8'), mounts)
  })
}

/** Whether the guest ran in the wall that it should have. Throws when it ran in another one, or what failed has no name. */
function judge(what: string, outcome: Outcome, wall: string): boolean {
  if (outcome.failed !== null) {
    const { message, data } = outcome.failed
    assert.not(outcome.ran, `${what}: ran, and then: ${message}`)
    // Without room for the program, its memory or its stack the kernel ends it before its first word.
    const isUnloaded = /^ulimit -[vsd]/.test(what) && /without a word \(SIG/.test(message)
    assert.ok(isUnloaded || (data.operation !== undefined && data.errno !== undefined), `${what}: ${message}`)
    return false
  }
  if (outcome.signal === SIGSYS && !outcome.ran) return false
  assert.is(outcome.code, 42, `${what}: ${JSON.stringify(outcome)}`)
  assert.is(outcome.wall, wall, what)
  return true
}

test.needs(
  NATIVE,
  BUSYBOX,
  CC,
  STRACE,
  OWN_CALLS,
)(
  'a start of which any system call fails ends before the guest has run and names the step, or the wall is whole',
  () =>
    withGuest(async (box) => {
      const whole = await runGuest(box)
      assert.is(whole.failed, null)
      const wall = whole.failed === null ? whole.wall : ''
      const faults = (await faultsOf(box.folder, () => runGuest(box), isTold)).filter(({ call }) => !CANNOT_FAIL.includes(call))
      let closed = 0
      for (const fault of faults) {
        const what = `${fault.call}, time ${fault.when}`
        const outcome = await withFault(box.folder, fault, 'ENOMEM', () => runGuest(box))
        if (fault.call === TO_CALLER) assert.ok(outcome.failed !== null || outcome.code === 42, what)
        else if (!judge(what, outcome, wall)) closed++
      }
      const seen = new Set(faults.map(({ call }) => call))
      assert.equal(
        STEPS.filter((call) => !seen.has(call)),
        [],
      )
      assert.ok(closed > 150, `${closed} of ${faults.length} failed closed`)
    }),
  { timeoutMs: 180_000 },
)

faulty('a caller with next to nothing left starts no guest, by name, or one in a whole wall', () =>
  withGuest(async (box) => {
    const leftOut = ['limits']
    const whole = await runGuest(box, leftOut)
    const wall = whole.failed === null ? whole.wall : ''
    let closed = 0
    for (const limit of [
      '-n 8',
      '-n 12',
      '-n 18',
      '-n 24',
      '-v 600',
      '-v 900',
      '-v 1200',
      '-v 1500',
      '-u 1',
      '-f 0',
      '-l 0',
      '-s 8',
      '-d 0',
      '-c 0',
      '-t 1',
    ])
      if (!judge(`ulimit ${limit}`, await withLimit(box.folder, limit, () => runGuest(box, leftOut)), wall)) closed++
    assert.ok(closed >= 4, `${closed} failed closed`)
  }),
)

test.run()
