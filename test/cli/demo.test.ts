import { appendFile, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import type { Attempt } from '../../images/thief/report.js'
import { Decoys } from '../../src/cli/decoys.js'
import { Style } from '../../src/cli/output.js'
import { receiptTable } from '../../src/cli/receipt-page.js'
import type { Theft } from '../../src/cli/theft.js'
import { theftTable } from '../../src/cli/theft-page.js'
import { wrapText } from '../../src/cli/wrap-text.js'
import type { KernelEvidence, Receipt } from '../../src/runtime/receipt.js'
import { suite } from '../support/suite.js'

const test = suite('cli/demo')
const plain = new Style(process.stdout, { NO_COLOR: '1' })
const coloured = new Style(Object.assign(Object.create(process.stdout), { isTTY: true }), {})

const attempt = (name: string, outcome: Attempt['outcome'], note: string, got = 0, wanted = 0): Attempt => ({
  name,
  outcome,
  note,
  got,
  wanted,
  durationUs: 1,
})
const theft = (wall: Theft['wall'], attempts: readonly Attempt[], more: Partial<Theft> = {}): Theft => ({
  wall,
  report: { platform: 'linux', attempts, complete: true },
  absent: null,
  durationMs: 12.4,
  traces: { fileChanged: false, connections: 0 },
  receipt: null,
  note: null,
  ...more,
})

test('columns stand side by side: what was got in capitals, what was not in words, and never wider than a terminal', () => {
  const table = theftTable(
    [
      theft('no wall', [attempt('keys', 'got', 'by its path', 3, 3)], { traces: { fileChanged: true, connections: 1 } }),
      theft('native', [attempt('keys', 'refused', 'ENOENT', 0, 3), attempt('fork', 'stopped', 'EAGAIN', 29, 64)]),
      theft('wasm', [attempt('keys', 'refused', 'something that nobody has thought of before', 0, 3)]),
    ],
    plain,
  )
  assert.match(table, /^your keys +GOT 3 of 3 files +not there +something that nobo…$/m)
  assert.match(table, /^fork bomb +killed before that +stopped at 29 of 64 +killed before that$/m)
  assert.match(table, /^seen outside +\.bashrc, a call +no trace +no trace$/m)
  assert.match(table, /^got +1 of 1 +0 of 2 +0 of 1$/m)
  assert.match(table, /^took +12 ms +12 ms +12 ms$/m)
  assert.ok(table.split('\n').every((line) => line.length <= 80))
  assert.not.match(table, /\u001b/)
})

test('a wall that the host lacks is said below with the way out, and a missing limit too', () => {
  const table = theftTable(
    [
      theft('native', [], { report: null, absent: 'user namespaces are forbidden here. Install the AppArmor profile that doctor prints.' }),
      theft('wasm', [attempt('keys', 'refused', 'ENOENT', 0, 3)], { note: 'no cgroup is delegated to you' }),
    ],
    plain,
  )
  assert.match(table, /^ +wasm$/m)
  assert.match(table, /^native: left out\. user namespaces are forbidden here\. Install the AppArmor\nprofile that doctor prints\.$/m)
  assert.match(table, /^wasm: the memory is not limited here: no cgroup is delegated to you$/m)
})

test('a terminal gets colours, and what the guest wrote cannot steer it', () => {
  const table = theftTable([theft('native', [attempt('keys', 'refused', '\u001b[2J\u0007', 0, 3)])], coloured)
  assert.match(table, /\u001b\[32m/)
  assert.not.match(table, /\u001b\[2J/)
})

test('a receipt is shown aspect by aspect, and what is not in force in capitals', () => {
  const namespaces = Object.fromEntries(
    ['pid', 'uts', 'mount', 'ipc', 'net', 'user', 'cgroup'].map((name) => [
      name,
      { isolated: name !== 'net', inode: 4026532000, hostInode: 1 },
    ]),
  )
  const kernel = {
    namespaces,
    root: { fileSystem: 'overlay', readonly: false, hostRootVisible: false },
    seccomp: { mode: 2, filters: 1 },
    capabilities: { effective: '00000000a80425fb' },
    noNewPrivileges: false,
    landlock: null,
    idMap: { uid: [[0, 1000, 1]], gid: [[0, 1000, 1]] },
  } as unknown as KernelEvidence
  const receipt: Receipt = {
    schema: 'wolffia.receipt/1',
    container: 'a'.repeat(64),
    wall: 'native',
    doubleWall: false,
    kernel,
    seccompProfile: null,
    wasm: null,
    limits: [{ name: 'pids', value: 32, mechanism: 'rlimit' }],
    crossCheck: { namespaces: true, seccomp: false },
  }
  const table = receiptTable([receipt], plain)
  assert.match(table, /^pid namespace +its own, 4026532000$/m)
  assert.match(table, /^net namespace +THE HOST'S$/m)
  assert.match(table, /^capabilities +14, in its own namespace$/m)
  assert.match(table, /^process limit +32, by rlimit$/m)
  assert.match(table, /^memory limit +-$/m)
  assert.match(table, /^no_new_privs +NOT SET$/m)
  assert.match(table, /^cross-check +DISAGREE: seccomp$/m)
  assert.match(receiptTable([{ ...receipt, wall: 'wasm', kernel: null }], plain), /^net namespace +-$/m)
})

test('text is broken at spaces', () => {
  assert.is(wrapText('one two three', 7), 'one two\nthree')
  assert.is(wrapText('a-word-that-is-too-long b', 5), 'a-word-that-is-too-long\nb')
})

test('decoys notice what is done to them, forget it when reset, and leave nothing', async () => {
  const decoys = await Decoys.plant()
  const words = Object.fromEntries(decoys.errand('/scratch').map((word) => word.split('=', 2) as [string, string]))
  assert.ok(process.env[words.secret ?? ''])
  await appendFile(words.outside ?? '', 'x')
  await new Promise((resolve) => connect(Number(words.port), '127.0.0.1').on('close', resolve).end())
  assert.equal(await decoys.traces(), { fileChanged: true, connections: 1 })
  await decoys.reset()
  assert.equal(await decoys.traces(), { fileChanged: false, connections: 0 })
  await decoys[Symbol.asyncDispose]()
  assert.is(process.env[words.secret ?? ''], undefined)
  assert.is(await stat(decoys.directory).catch((error) => error.code), 'ENOENT')
})

test.run()
