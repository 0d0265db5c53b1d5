import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, statfsSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { collectReceipt } from '../../src/runtime/collect-receipt.js'
import { crossCheck, failedChecks } from '../../src/runtime/cross-check.js'
import type { ReceiptTexts } from '../../src/runtime/kernel-evidence.js'
import { hostIdentity, kernelEvidence, namespaceInode } from '../../src/runtime/kernel-evidence.js'
import type { KernelEvidence } from '../../src/runtime/receipt.js'
import { WASM_LIMIT_WAYS } from '../../src/wasm/limit-ways.js'
import { suite } from '../support/suite.js'

const test = suite('runtime/cross-check')

/** What the launcher would have collected in process `pid`, a program of the host's own. */
function textsOf(pid: number): ReceiptTexts {
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8')
  const { bsize, blocks, files } = statfsSync('/')
  return {
    namespaces: Object.fromEntries(
      readdirSync(`/proc/${pid}/ns`).map((name) => [name, namespaceInode(readlinkSync(`/proc/${pid}/ns/${name}`))]),
    ),
    status: read('status'),
    mountinfo: read('mountinfo'),
    limits: read('limits'),
    uid_map: read('uid_map'),
    gid_map: read('gid_map'),
    hostname: 'host',
    // All of them: cat opens none of its own, but inherits what the test's caller left open.
    descriptors: readdirSync(`/proc/${pid}/fd`).map(Number),
    interfaces: Object.fromEntries([...read('net/dev').matchAll(/^\s*(\S+?):/gm)].map((match) => [match[1], true])),
    session: true,
    umask: Number.parseInt(/^Umask:\s*(\d+)/m.exec(read('status'))?.[1] ?? '', 8),
    oom_score_adj: Number(read('oom_score_adj')),
    dumpable: true,
    landlock: null,
    working_directory: '/',
    devices: [],
    sysctls: {},
    seccomp_instructions: 0,
    root: { bytes: bsize * blocks, inodes: files },
    terminal: null,
    supervisor: { output_bytes: null, time_ms: null, pause: 'signals' },
  }
}

/** A program of the host's that has long been started: it answered once, so it has closed what its loading opened, and now waits. */
async function withWaitingProgram(body: (pid: number, evidence: KernelEvidence) => void): Promise<void> {
  const child = spawn('/bin/cat', { cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
  try {
    child.stdin.write('ready')
    await once(child.stdout, 'data')
    const pid = child.pid ?? 0
    body(pid, kernelEvidence(textsOf(pid), hostIdentity()))
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

test('every check agrees with evidence that is true', () =>
  withWaitingProgram((pid, evidence) => {
    assert.equal(failedChecks(crossCheck({ pid, evidence, limits: [] })), [])
  }))

test('each lie fails the check it belongs to', () =>
  withWaitingProgram((pid, evidence) => {
    const { namespaces, capabilities, idMap, user, root, seccomp, rlimits, hardRlimits } = evidence
    // A wrong map also makes the ids behind it disagree.
    const lies: [string, Partial<KernelEvidence>][] = [
      ['namespaces', { namespaces: { ...namespaces, net: { ...namespaces.net, isolated: true } } }],
      ['namespaces', { namespaces: { ...namespaces, net: { ...namespaces.net, inode: 1 } } }],
      ['idMap user', { idMap: { ...idMap, uid: [[0, 1000, 1]] } }],
      ['idMap user', { idMap: { ...idMap, gid: [] } }],
      ['mounts', { mounts: evidence.mounts.slice(1) }],
      ['root', { root: { ...root, bytes: root.bytes + 4096 } }],
      ['rlimits', { rlimits: { ...rlimits, 'Max processes': 7 } }],
      ['rlimits', { hardRlimits: { ...hardRlimits, 'Max processes': 7 } }],
      ['interfaces', { interfaces: {} }],
      ['descriptors', { descriptors: [0, 1] }],
      ['process', { process: { ...evidence.process, workingDirectory: '/work' } }],
      ['process', { process: { ...evidence.process, oomScoreAdjust: 77 } }],
      ['process', { process: { ...evidence.process, session: false } }],
      ['seccomp', { seccomp: { ...seccomp, mode: 2 } }],
      ['capabilities', { capabilities: { ...capabilities, bounding: '0000000000000001' } }],
      ['noNewPrivileges', { noNewPrivileges: !evidence.noNewPrivileges }],
      ['user', { user: { ...user, uid: user.uid + 1 } }],
      ['user', { user: { ...user, groups: [...user.groups, 12345] } }],
      ['umask', { process: { ...evidence.process, umask: 0o777 } }],
    ]
    for (const [checks, lie] of lies)
      assert.equal(
        failedChecks(crossCheck({ pid, evidence: { ...evidence, ...lie }, limits: [] })),
        checks.split(' '),
        JSON.stringify(Object.keys(lie)),
      )
  }))

test('a limit that no control group of the guest proves fails', () =>
  withWaitingProgram((pid, evidence) => {
    const limits = [{ name: 'memory', value: 1, mechanism: 'cgroup' }] as const
    assert.equal(failedChecks(crossCheck({ pid, evidence, limits })), ['limits'])
  }))

test('a process that is gone fails every check that needs it', () =>
  withWaitingProgram((_, evidence) => {
    // Numbers end at 2^22, so no process has this one.
    const checks = crossCheck({ pid: 2 ** 22 + 1, evidence, limits: [] })
    assert.equal(
      Object.keys(checks).filter((name) => checks[name]),
      ['limits'],
    )
  }))

test('collected once more, what was seen inside is not read again, and all that was outside is', () =>
  withWaitingProgram((pid) => {
    const parts = { container: 'c', wall: 'wasm', wasm: null, limits: {}, ways: WASM_LIMIT_WAYS }
    const early = collectReceipt({ ...parts, kernel: { pid, texts: textsOf(pid) } })
    const texts = new Proxy({} as ReceiptTexts, {
      get(_, name) {
        throw new Error(`${String(name)} was read`)
      },
    })
    const again = collectReceipt({ ...parts, kernel: { pid, texts }, early })
    const { descriptors, ...checks } = early.crossCheck
    assert.is(descriptors, true)
    assert.equal(again, { ...early, crossCheck: checks })
    const changed = { ...early, kernel: early.kernel && { ...early.kernel, noNewPrivileges: !early.kernel.noNewPrivileges } }
    assert.throws(() => collectReceipt({ ...parts, kernel: { pid, texts }, early: changed }), /noNewPrivileges/)
  }))

test.run()
