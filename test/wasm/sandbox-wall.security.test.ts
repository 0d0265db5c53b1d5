/** What code that has broken out of V8 can reach: a hostile program stands in for the sandbox's own, behind the same plan. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { singleIdMap } from '../../src/launcher/id-map.js'
import { seccompAsset } from '../../src/launcher/installation.js'
import type { Receipt } from '../../src/runtime/receipt.js'
import type { ContainerSpec } from '../../src/runtime/spec.js'
import { wallObstacle } from '../../src/wasm/double-wall.js'
import { nodeFiles } from '../../src/wasm/node-files.js'
import { SandboxControl } from '../../src/wasm/sandbox-control.js'
import { parseEvent } from '../../src/wasm/sandbox-event.js'
import { sandboxPlan } from '../../src/wasm/sandbox-plan.js'
import { type ProcessEnd, type SandboxProcess, startWalled } from '../../src/wasm/sandbox-process.js'
import { startMessage } from '../../src/wasm/start-message.js'
import { WasmTask } from '../../src/wasm/wasm-task.js'
import { NATIVE } from '../support/requirements.js'
import { containerSpec } from '../support/specs.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/sandbox-wall.security')
const native = test.needs(NATIVE)

const MESSAGE = startMessage({
  spec: containerSpec({}),
  program: '/probe.wasm',
  prewarmed: false,
  transpiled: null,
  preopens: 'none',
  layers: [],
  imageLayers: 0,
  bindPath: (_place, source) => source,
  keepsUpper: false,
  endDescriptor: null,
  remoteDescriptor: null,
  recordingDescriptor: null,
  sessions: { descriptor: 5 },
  outlives: false,
  layerBytes: 0,
})

const HOSTILE = `
import { chmodSync, closeSync, constants, ftruncateSync, openSync, readdirSync, readlinkSync, writeSync } from 'node:fs'
const answer = (action) => { try { return action() ?? 'ok' } catch (error) { return error.code } }
const overwrite = (path) => answer(() => { const fd = openSync(path, 'r+'); writeSync(fd, 'evil', 0); closeSync(fd) })
const reopened = (path) => answer(() => overwrite('/proc/self/fd/' + openSync(path, 'r')))
const names = readdirSync('/proc/self/fd').map(Number)
const layers = ['/layers/0.tar', '/layers/0.index', '/transpiled']
process.on('SIGXFSZ', () => {})
console.log(JSON.stringify({
  upper: answer(() => ftruncateSync(5, 1 << 20)),
  root: readdirSync('/').sort(),
  environment: Object.keys(process.env),
  files: names.flatMap((fd) => { const to = answer(() => readlinkSync('/proc/self/fd/' + fd)); return /^\\/(?!dev|proc)/.test(to) ? [to] : [] }),
  layers: layers.flatMap((path) => [overwrite(path), reopened(path), answer(() => chmodSync(path, 0o666))]),
  programs: ['/node', '/sandbox/main.cjs', '/proc/1/exe'].map(overwrite),
  root2: answer(() => openSync('/new', 'w')),
  init: ['root', 'mem', 'environ', 'exe'].map((name) => answer(() => openSync('/proc/1/' + name, 'r'))),
  device: answer(() => chmodSync('/dev/null', 0o600)),
  processes: readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length,
}))
process.exit(0)
`

native('V8 broken open: no layer, program, process or file of the host is written or reached', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-hostile-'))
  const [tarPath, indexPath, transpiled, sandboxPath] = ['layer.tar', 'layer.index', 'component-0', 'sandbox'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string]
  try {
    for (const path of [tarPath, indexPath, transpiled]) writeFileSync(path, 'true', { mode: 0o600 })
    for (const path of [sandboxPath, join(folder, 'listens')]) mkdirSync(path)
    writeFileSync(join(sandboxPath, 'hostile.mjs'), HOSTILE)
    writeFileSync(join(sandboxPath, 'main.cjs'), "import('./hostile.mjs')")
    const start = {
      openStdin: false,
      terminal: false,
      upperPath: join(folder, 'upper'),
      endPath: null,
      channels: 0,
      asksRemote: false,
      outlives: false,
    }
    const plan = sandboxPlan({
      spec: containerSpec({}),
      idMap: singleIdMap(),
      node: nodeFiles(),
      sandboxPath,
      nodeFlags: [],
      program: 'main.cjs',
      layers: [{ tarPath, indexPath }],
      transpiled,
      descriptors: 3,
      sessionsFolder: join(folder, 'listens'),
      openStdin: false,
      keepStdin: false,
      supervision: [],
      terminalSize: { rows: 24, columns: 80 },
      fileBytes: 4096,
    })
    const sandbox = await startWalled(plan, seccompAsset() ?? '', start)
    const output = Promise.all([text(sandbox.stdout), sandbox.stderr === null ? '' : text(sandbox.stderr)])
    await sandbox.execute()
    await sandbox.ended
    const [stdout, stderr] = await output
    const found = JSON.parse(stdout || JSON.stringify(stderr)) as Record<string, unknown>
    assert.equal([...new Set(found.layers as string[])], ['EROFS'])
    for (const path of [tarPath, indexPath, transpiled]) assert.is(readFileSync(path, 'utf8'), 'true')
    // Where Node belongs to the host's root, or is what runs here, the kernel says so first.
    for (const refusal of found.programs as string[]) assert.match(refusal, /^(EROFS|EACCES|ETXTBSY)$/)
    assert.is(found.root2, 'EROFS')
    assert.equal(found.init, ['EACCES', 'EACCES', 'EACCES', 'EACCES'])
    assert.is(found.device, 'EPERM')
    assert.is(found.processes, 2)
    assert.equal(found.environment, ['LD_LIBRARY_PATH', 'GLIBC_TUNABLES'])
    const known = ['dev', 'layers', 'lib', 'lib64', 'node', 'proc', 'sandbox', 'transpiled']
    assert.equal(
      (found.root as string[]).filter((name) => !known.includes(name)),
      [],
    )
    assert.is(found.upper, 'EFBIG')
    // The upper, and what Node itself holds: nothing else has a name.
    assert.equal(
      (found.files as string[]).filter((path) => path.startsWith('/') && !path.endsWith('/upper')),
      [],
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a host that lacks what a sandbox does without is no reason for a single wall', () => {
  const failed = (name: string, required = true) => ({ name, purpose: '', ok: false, required, errno: 'EPERM', why: 'no', fix: null })
  const [pipes, terminal] = [false, true].map((each) => containerSpec({ process: { terminal: each } })) as [ContainerSpec, ContainerSpec]
  assert.is(wallObstacle([failed('overlay on disk'), failed('id range', false), failed('terminal')], pipes), null)
  assert.match(wallObstacle([failed('terminal')], terminal) ?? '', 'terminal')
  for (const name of ['launcher', 'user namespace', 'mount namespace', 'seccomp'])
    assert.match(wallObstacle([failed('overlay on disk'), failed(name)], pipes) ?? '', name)
})

test('V8 broken open: a line without end, or words of no meaning, are listened to no longer', async () => {
  const megabyte = Buffer.alloc(1 << 20, 'a')
  const exited = { event: 'exited', upperWhole: false, exitCode: 0, reason: 'exited', durationMs: 1 }
  const failed = { event: 'failed', code: 'LIMIT_EXCEEDED', message: 'm', data: {} }
  const evidence = {
    engine: 'e',
    v8: '1',
    moduleDigest: 'd',
    imports: [],
    memoryPagesMaximum: 1,
    tableElementsMaximum: 1,
    threadsMaximum: 1,
    preopens: [],
    environment: [],
  }
  const events = [
    ...[
      { exitCode: '0' },
      { exitCode: 256 },
      { exitCode: -1 },
      { exitCode: null },
      { reason: 'well' },
      { reason: ['exited'] },
      { detail: 7 },
      { detail: {} },
    ],
    ...[
      { signal: 'SIGNONE' },
      { signal: 'constructor' },
      { durationMs: 'long' },
      { durationMs: -1 },
      { upperWhole: 'yes' },
      { upperWhole: undefined },
    ],
  ].map((change) => ({ ...exited, ...change }))
  const failures = [{ code: 'NOTHING' }, { code: 'constructor' }, { code: 0 }, { message: {} }, { hint: 1 }, { data: null }, { data: [] }]
  const proofs = [{ imports: 'all' }, { imports: [1] }, { environment: {} }, { memoryPagesMaximum: '1' }, { moduleDigest: undefined }]
  const lines = [
    ...['{"event":"owned"}', '[]', 'null', '{', '"exited"', '{"event":"ready"}', '{"event":"ready","evidence":null}'],
    ...events.map((event) => JSON.stringify(event)),
    ...failures.map((change) => JSON.stringify({ ...failed, ...change })),
    ...proofs.map((change) => JSON.stringify({ event: 'ready', evidence: { ...evidence, ...change } })),
  ]
  assert.is(parseEvent(JSON.stringify(exited))?.event, 'exited')
  assert.is(parseEvent(JSON.stringify(failed))?.event, 'failed')
  assert.is(parseEvent(JSON.stringify({ event: 'ready', evidence, more: 1 }))?.event, 'ready')
  for (const said of [megabyte, ...lines.map((line) => Buffer.from(`${line}\n`))]) {
    const line = new PassThrough()
    const control = new SandboxControl(new PassThrough(), line, MESSAGE)
    line.write(said)
    const error = await control.ready.catch((thrown: EngineError) => thrown.code)
    assert.is(error, 'SANDBOX_FAILED')
    assert.ok(line.destroyed)
    assert.is(await control.exited, null)
  }
})

/** A task over a sandbox that is nothing but what it says. */
function fakeTask(timeoutMs: number | null) {
  const line = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  const signals: number[] = []
  let end = (): void => {}
  const ended = new Promise<ProcessEnd>((resolve) => {
    end = () => resolve({ code: null, signal: constants.signals.SIGKILL })
  })
  const sandbox: SandboxProcess = {
    pid: 1,
    stdin: null,
    stdout: new PassThrough(),
    stderr: null,
    start: new PassThrough(),
    control: line,
    kernel: null,
    channels: [],
    remote: null,
    ended,
    execute: async () => {},
    signal: (number) => {
      signals.push(number)
      line.destroy()
      end()
    },
    resize: () => {},
    pause: () => {},
    resume: () => {},
    deadline: () => {},
    outlive: () => {},
    begin: async () => {},
    holders: null,
    kill: () => end(),
  }
  const control = new SandboxControl(new PassThrough(), line, MESSAGE)
  for (const promise of [control.ready, control.started]) promise.catch(() => {})
  const task = new WasmTask({
    sandbox,
    control,
    timeoutMs,
    receipt: { limits: [] as Receipt['limits'] } as Receipt,
    upper: null,
    files: null,
    folder: '',
    outlives: false,
    cleanUp: async () => {},
  })
  return { task, line, signals }
}

test('V8 broken open: a sandbox that says its guest has ended and goes on is killed', async () => {
  const { task, line, signals } = fakeTask(null)
  line.push('{"event":"exited","upperWhole":false,"exitCode":7,"reason":"exited","durationMs":1}\n')
  assert.is((await task.wait()).exitCode, 7)
  assert.equal(signals, [constants.signals.SIGKILL])
})

test('V8 broken open: an end that is none is no success', async () => {
  const { task, line } = fakeTask(null)
  line.push('{"event":"exited","upperWhole":true,"exitCode":"0","reason":"exited","durationMs":1}\n')
  const { exitCode, detail } = await task.wait()
  assert.is(exitCode, 125)
  assert.match(detail ?? '', 'what no sandbox says')
})

test('V8 broken open: the time limit does not depend on the sandbox', async () => {
  const { task, signals } = fakeTask(50)
  task.start().catch(() => {})
  const { exitCode, reason } = await task.wait()
  assert.equal([exitCode, reason, signals], [137, 'timeout', [constants.signals.SIGKILL]])
})

test.run()
