import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { launch } from '../../src/launcher/client.js'
import { launcherError } from '../../src/launcher/failure.js'
import { idMapOperations, singleIdMap } from '../../src/launcher/id-map.js'
import { assetPath, seccompAsset } from '../../src/launcher/installation.js'
import type { Operation, OperationName } from '../../src/launcher/operations.js'
import { OPERATIONS } from '../../src/launcher/operations.js'
import { processesWith, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/failure')
const native = test.needs(NATIVE, BUSYBOX)

/** For each operation that can fail, a way in which it does. Those without an argument are failed by what they lack. */
const BAD: Readonly<Partial<Record<OperationName, readonly Operation[]>>> = {
  namespace: [['namespace', 'time']],
  'uid-map': [['uid-map', 'x', 0, 0, 1]],
  'gid-map': [['gid-map', 0, 0, 0, 4294967296n]],
  'id-map-helper': [['id-map-helper', '/bin/false', '/bin/false']],
  holder: [['holder', '/nowhere', 'socket', 1, 0, 'much']],
  cgroup: [['cgroup', '/nowhere/group']],
  'cgroup-value': [['cgroup-value', '/nowhere/file', 1]],
  'cgroup-join': [['cgroup-join', '/nowhere']],
  stdio: [['stdio', 'files', 'open']],
  'terminal-size': [['terminal-size', -1, 80]],
  'output-limit': [['output-limit', '1k']],
  'time-limit': [['time-limit', '']],
  'keep-descriptor': [['keep-descriptor', 4, 5]],
  'listening-socket': [['listening-socket', '/nowhere', 'name', 6]],
  join: [['join', 1, 0]],
  listen: [['outlive'], ['listen', '/nowhere']],
  log: [['outlive'], ['log', '/nowhere/log', 0, 1]],
  'end-record': [['outlive'], ['end-record', '/proc/self/status']],
  'beat-interval': [['beat-interval', 'often']],
  'command-variable': [['command-variable', 'PATH']],
  'open-terminal': [['open-terminal', '/bin']],
  hostname: [['hostname', 'x'.repeat(65)]],
  'holder-memory': [['holder-memory', '/tmp']],
  'overlay-lower': [['overlay-lower', '/nowhere']],
  'overlay-upper': [['overlay-upper', '/nowhere', '/nowhere']],
  'overlay-upper-memory': [['overlay-upper-memory', 'much', 1]],
  'root-tmpfs': [['root-tmpfs', 4096, 'x', '0755']],
  directory: [['directory', '/proc/self/fd/0/x', '0755']],
  file: [['file', '/etc', '0644', 'x']],
  symlink: [['symlink', '/etc', 'x']],
  'mount-proc': [['mount-proc', '/bin/busybox']],
  'mount-sysfs': [['mount-sysfs', 'relative']],
  'mount-tmpfs': [['mount-tmpfs', '/tmp', 4096, 8, '0755', 'nosuid,unknown']],
  'mount-tree': [['mount-tree', '/tmp', 4096, 8, 'nosuid', 77]],
  'return-tree': [['return-tree', 77]],
  'mount-devpts': [['mount-devpts', '/bin/busybox/x']],
  'mount-console': [['mount-console', '/dev/console']],
  'mount-mqueue': [['mount-mqueue', '/bin/busybox']],
  'mount-cgroup': [['mount-cgroup', '/bin/busybox', 'unified']],
  bind: [['bind', '/nowhere', '/tmp', '']],
  'mount-file': [['mount-file', '/etc', '0644', 'x', '']],
  mask: [['mask', '/proc/self/../self/status']],
  'read-only': [['read-only', '/proc/self']],
  sysctl: [['sysctl', '../self/comm', 'x']],
  'unbound-socket': [['unbound-socket', 0]],
  'begin-later': [['begin-later', 77]],
  'name-file': [['name-file', 77, '/nowhere/file']],
  'bind-socket': [['bind-socket', '/nowhere', 'socket']],
  'exercise-tap': [['exercise-tap', '/dev/null']],
  'exercise-directory': [['exercise-directory', '/etc/nowhere']],
  rlimit: [['rlimit', 'openfiles', 1, 1]],
  umask: [['umask', '0999']],
  'oom-score-adjust': [['oom-score-adjust', 5000]],
  'working-directory': [['working-directory', '/nowhere']],
  group: [['group', -1]],
  user: [['user', 4242424, 0]],
  capabilities: [['capabilities', 'all', '0']],
  'seccomp-watch': [['seccomp-watch', 'everything', '', '']],
  'landlock-scope': [['landlock-scope', 'files']],
  'file-read': [['file-read', '/etc', 77, 1]],
  hold: [['hold', 77, 1, 77]],
  'tree-make': [['tree-make', '/nowhere/tree']],
  'tree-substitute': [['tree-substitute', 'names']],
  'tree-source': [['tree-source', 77]],
  'tree-write': [['tree-write', '/nowhere', 77]],
  'tree-read': [['tree-read', '/nowhere', 77]],
  'tree-list': [['tree-list', '/nowhere', 77]],
  'tree-move': [['tree-move', '/nowhere', '/tmp']],
  'tree-remove': [['tree-remove', '/bin/busybox']],
  unmount: [['unmount', '/bin/busybox/below']],
  'path-stat': [['path-stat', '/', 77]],
  'path-read': [['path-read', '/', 77]],
  'path-write': [['path-write', '/nowhere', 77]],
}

/** Nothing to be wrong about: no fields, and what they do can't be refused in a namespace of one's own. */
const CANNOT_FAIL = [
  'limits-lifted',
  'cgroup-kills',
  'cgroup-freezer',
  'outlive',
  'journal',
  'end-argument',
  'beat-argument',
  'loopback-up',
  'mount-private',
  'root-overlay',
  'root-read-only',
  'root-alone',
  'private-mounts',
  'switch-root',
  'no-new-privileges',
  'seccomp',
]

test('every operation has a bad argument to be tried with', () => {
  assert.equal(
    Object.keys(OPERATIONS).filter((name) => !(name in BAD) && !CANNOT_FAIL.includes(name)),
    [],
  )
})

native('a bad argument of any operation is reported by name, and nothing is left mounted or running', () =>
  withBox(async (box) => {
    const marker = box.folder
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    for (const [name, operations] of Object.entries(BAD)) {
      const plan = box.plan(['sleep', '1000', marker])
      const at = plan.operations.findIndex(([other]) => other === 'switch-root')
      const before = plan.operations.slice(0, at)
      const launcher = launch(
        { operations: [...before, ...operations, ...plan.operations.slice(at)], exec: plan.exec },
        { seccompProgramPath: assetPath(seccompAsset() ?? 'none') },
      )
      const error = await launcher.ready.catch((thrown: unknown) => thrown)
      assert.instance(error, EngineError, name)
      const { operation, errno } = (error as EngineError).data
      assert.is(operation, name, `${name}: ${(error as EngineError).message}`)
      assert.match(String(errno), /^E[A-Z0-9]+$/)
      // What failed is told after everything is gone.
      assert.equal(processesWith(marker), [], name)
    }
    assert.is(readFileSync('/proc/self/mountinfo', 'utf8'), mounts)
  }),
)

native('what is no plan is refused', async () => {
  const { spawn } = await import('node:child_process')
  for (const bytes of [
    '',
    'done',
    'nonsense\0done\0',
    'hostname\0',
    'exec\0',
    'exec\x000\x000\0',
    'exec\x001\0a\0',
    'done\0done\0',
    'exec\x009999999999\0',
  ]) {
    const child = spawn(assetPath('launcher'), [], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], env: {} })
    let said = ''
    child.stdio[4]?.on('data', (chunk) => {
      said += chunk
    })
    const input = child.stdio[3]
    if (input !== null && input !== undefined && 'end' in input) input.end(bytes)
    await new Promise((resolve) => child.once('close', resolve))
    assert.is(JSON.parse(said).event, 'failed', JSON.stringify(bytes))
    assert.is(JSON.parse(said).operation, 'plan', JSON.stringify(bytes))
  }
})

native('a seccomp program that is none is refused', () =>
  withBox(async (box) => {
    for (const bytes of ['', 'seven', 'x'.repeat(80)]) {
      const path = join(box.folder, 'program')
      writeFileSync(path, bytes)
      const error = await box.run(['true'], { launch: { seccompProgramPath: path } }).catch((thrown: EngineError) => thrown.data.operation)
      assert.is(error, 'seccomp', JSON.stringify(bytes))
    }
  }),
)

native('a missing setgroups right is told, not passed over', async () => {
  await withBox(async (box) => {
    const error = await box.run(['true'], { guest: [['group', 0]] }).catch((thrown: EngineError) => thrown.data)
    assert.equal(error, { operation: 'user', call: 'setgroups', argument: '', errno: 'EPERM' })
  })
})

native('an overlay over nothing is refused, and a root without a writable layer is read-only', () =>
  withBox(async (box) => {
    const base: Operation[] = [...idMapOperations(singleIdMap()), ['namespace', 'mount']]
    const refused = await launch({ operations: [...base, ['root-overlay']], exec: null }).done.catch((thrown: EngineError) => thrown.data)
    assert.is((refused as { operation: string }).operation, 'root-overlay')
    const readOnly = await launch({
      operations: [...base, ['overlay-lower', box.root], ['root-overlay'], ['file', '/new', '0644', '']],
      exec: null,
    }).done.catch((thrown: EngineError) => thrown.data.errno)
    assert.is(readOnly, 'EROFS')
    await launch({ operations: [...base, ['overlay-lower', box.root], ['root-overlay']], exec: null }).done
  }),
)

native('a hundred and twenty layers fit into one overlay, base first', () =>
  withBox(async (box) => {
    const layers = Array.from({ length: 120 }, (_, index) => {
      const layer = join(box.folder, `layers/${'x'.repeat(100)}${index}`)
      mkdirSync(layer, { recursive: true })
      writeFileSync(join(layer, 'top'), `${index}`)
      writeFileSync(join(layer, `only-${index}`), '')
      return layer
    })
    const plan = box.plan(['sh', '-c', 'cat /top; busybox ls / | busybox grep -c only-'])
    const operations = plan.operations.flatMap((operation): Operation[] =>
      operation[0] === 'overlay-lower' ? [operation, ...layers.map((layer): Operation => ['overlay-lower', layer])] : [operation],
    )
    const launcher = launch(
      { ...plan, operations: operations.filter(([name]) => name !== 'seccomp') },
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const output = text(launcher.stdout as Readable)
    await launcher.ready
    await launcher.go()
    assert.is((await launcher.exited).code, 0)
    assert.is(await output, '119120\n')
  }),
)

test('a terminal that cannot be made is told by name, with the way out', () => {
  const { message, hint } = launcherError({ event: 'failed', operation: 'mount-devpts', call: 'openat', argument: 'ptmx', errno: 13 })
  assert.match(message, /mount-devpts "ptmx": openat failed with EACCES/)
  assert.match(hint ?? '', /-t: leave it out/)
})

/** Takes every descriptor that its limit leaves it, and then starts the launcher. */
const CROWDED = `
  import { closeSync, openSync } from 'node:fs'
  import { launch, launcherMissing } from ${JSON.stringify(fileURLToPath(new URL('../../src/launcher/client.js', import.meta.url)))}
  // Finds the installation, once.
  launcherMissing()
  const taken = []
  try { for (;;) taken.push(openSync('/dev/null', 'r')) } catch {}
  const errors = []
  for (const options of [{}, { seccompProgramPath: '/dev/null' }]) {
    errors.push(await (async () => launch({ operations: [], exec: null }, options).done)().catch((error) => error))
    // The event of a child that could not be made comes later than the answer.
    await new Promise(setImmediate)
  }
  for (const descriptor of taken) closeSync(descriptor)
  process.stdout.write(JSON.stringify(errors.map(({ code, data, hint }) => [code, data?.errno, hint])))
`

test('out of descriptors the launcher is refused by name, and the process that wanted it goes on', async () => {
  const words = ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, '--input-type=module', '-e', CROWDED]
  const { stdout } = await promisify(execFile)('sh', words)
  for (const [code, errno, hint] of JSON.parse(stdout)) {
    assert.equal([code, errno], ['RUNTIME_UNAVAILABLE', 'EMFILE'])
    assert.match(hint, /open more files/)
  }
})

test.run()
