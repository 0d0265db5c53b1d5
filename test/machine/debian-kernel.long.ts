/** The native wall on Debian's kernel for clouds (6.1), where an ordinary user has control groups of version 2, as systemd delegates them. */
import * as assert from 'uvu/assert'
import { bundleName, MACHINE, type MachineResult, runInMachine } from '../support/linux-machine.js'
import { CC } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('machine/debian-kernel')
const machine = test.needs(MACHINE, CC)
const DEADLINE_MS = 600_000

/** Test files that run there, and which tests of theirs. None of them may be skipped for want of a wall, of groups or of a range of ids. */
const FILES = [
  { path: 'test/native/control-group', only: '' },
  { path: 'test/native/group-view.security', only: '' },
  // Its own bombs want writable layers in memory, which take Linux 6.6.
  { path: 'test/native/attacks.security', only: 'nothing of the table' },
  { path: 'test/native/bombs.security', only: 'waits for|open files|tmpfs|memory|work' },
  { path: 'test/launcher/attacks.security', only: '' },
  { path: 'test/e2e/limits', only: '' },
  { path: 'test/wasm/sandbox-groups', only: 'groups of its own|share of processors can be changed|weights|out of memory' },
] as const

const SCRIPT = `
export PATH=/usr/bin:/bin HOME=/home/user WOLFFIA_PATIENCE=5 WOLFFIA_NO_SKIP=native,cgroup,cgroup-sets,busybox,cc,subuid
echo "kernel $(uname -r)"
echo "version 1: $(grep -c '^[1-9]' /proc/self/cgroup)"
${FILES.map(({ path, only }) => `WOLFFIA_ONLY='${only}' node tests/${bundleName(path)}; echo "ended ${path} $?"`).join('\n')}
ls /sys/fs/cgroup/user | grep wolffia- || echo 'no group is left'
`

let result: Promise<MachineResult> | undefined

/** One machine for all tests of this file. */
function ran(): Promise<MachineResult> {
  const tests = FILES.map(({ path }) => path)
  result ??= runInMachine({ script: SCRIPT, tests, guests: ['attacks', 'bombs', 'neighbour'], deadlineMs: DEADLINE_MS })
  return result
}

machine(
  'the machine boots Linux 6.1 with groups of version 2 alone, comes to its end, and no group is left in it',
  async () => {
    const { exitCode, stdout, console } = await ran()
    assert.is(exitCode, 0, stdout.slice(-2000) + console.slice(-2000))
    assert.match(stdout, /^kernel 6\.1\./m)
    assert.match(stdout, /^version 1: 0$/m)
    assert.match(stdout, /^no group is left$/m)
  },
  { timeoutMs: DEADLINE_MS + 60_000 },
)

for (const { path, only } of FILES)
  machine(`there the tests of ${path} pass${only === '' ? '' : ` that say “${only}”`}`, async () => {
    const { stdout } = await ran()
    const before = stdout.split(`ended ${path} `)[0] ?? ''
    assert.match(stdout, new RegExp(`^ended ${path} 0$`, 'm'), before.slice(-4000))
    assert.ok(Number(/Passed:\s+(\d+)\n(?!.*Passed:)/s.exec(before)?.[1]) > 0, before.slice(-4000))
  })

test.run()
