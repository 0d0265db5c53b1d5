import * as assert from 'uvu/assert'
import type { CreateOptions } from '../../src/container/options.js'
import { containerSpec } from '../../src/container/spec.js'
import type { ContainerConfig } from '../../src/oci/image-spec.js'
import { literalTree } from '../support/literal-tree.js'
import { suite } from '../support/suite.js'

const test = suite('container/spec')
const tree = literalTree({
  etc: {
    entries: {
      passwd: { content: 'root:x:0:0::/root:\nweb:x:33:33::/srv:\n' },
      group: { target: '/etc/group.real' },
      'group.real': { content: 'staff:x:50:web\n' },
    },
  },
})
const id = 'ab'.repeat(32)

function specOf(options: Partial<CreateOptions>, image: ContainerConfig = {}, world: 'linux' | 'bare' = 'linux') {
  return containerSpec({ id, options: { image: 'some', ...options }, image, tree, mounts: [], world })
}
const argsOf = (options: Partial<CreateOptions>, image: ContainerConfig) => specOf(options, image).process.args

test("the image's entrypoint and command are run when nothing is said", () => {
  assert.equal(argsOf({}, { Entrypoint: ['/e', '-x'], Cmd: ['c'] }), ['/e', '-x', 'c'])
  assert.equal(argsOf({}, { Cmd: ['c', 'd'] }), ['c', 'd'])
})

test("a command replaces the image's command and follows its entrypoint", () => {
  assert.equal(argsOf({ command: ['n'] }, { Entrypoint: ['/e'], Cmd: ['c'] }), ['/e', 'n'])
})

test("an entrypoint replaces the image's entrypoint and drops its command", () => {
  assert.equal(argsOf({ entrypoint: ['/n'] }, { Entrypoint: ['/e'], Cmd: ['c'] }), ['/n'])
  assert.equal(argsOf({ entrypoint: ['/n'], command: ['x'] }, { Entrypoint: ['/e'], Cmd: ['c'] }), ['/n', 'x'])
  assert.equal(argsOf({ entrypoint: [], command: ['x'] }, { Entrypoint: ['/e'] }), ['x'])
})

test('nothing to run is refused with what to type', () => {
  for (const attempt of [
    () => argsOf({}, {}),
    () => argsOf({ entrypoint: [] }, { Entrypoint: ['/e'], Cmd: ['c'] }),
    () => argsOf({ command: [''] }, {}),
  ])
    assert.throws(attempt, /no command specified/)
})

test("variables: docker's own, then the image's, then the caller's, and HOME from /etc/passwd", () => {
  const { env } = specOf({ command: ['x'], env: { B: 'mine', C: '' }, user: 'web' }, { Env: ['A=1', 'B=2', 'nonsense'] }).process
  assert.equal(env, [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    `HOSTNAME=${id.slice(0, 12)}`,
    'A=1',
    'B=mine',
    'C=',
    'HOME=/srv',
  ])
})

test('TERM is set with a terminal only, and what image or caller say about PATH and HOME stands', () => {
  assert.ok(specOf({ command: ['x'], tty: true }).process.env.includes('TERM=xterm'))
  const { env } = specOf({ command: ['x'], env: { HOME: '/h' } }, { Env: ['PATH=/p'] }).process
  assert.ok(env.includes('PATH=/p') && env.includes('HOME=/h'))
  assert.not.ok(env.some((variable) => variable.startsWith('TERM=')))
})

test('a bare world holds only what image and caller give', () => {
  assert.equal(specOf({ command: ['x'], tty: true, env: { B: '2' } }, { Env: ['A=1'] }, 'bare').process.env, ['A=1', 'B=2'])
})

test('a variable with an impossible name is refused', () => {
  for (const env of [{ '': 'x' }, { 'A=B': 'x' }, { A: 'x\0y' }])
    assert.throws(() => specOf({ command: ['x'], env }), /invalid environment variable/)
})

test('the user is looked up in the files of the image, through its symlinks', () => {
  assert.equal(specOf({ command: ['x'], user: 'web' }).process.user, { uid: 33, gid: 33, additionalGids: [50] })
  assert.equal(specOf({ command: ['x'] }, { User: 'web:staff' }).process.user, { uid: 33, gid: 50, additionalGids: [] })
})

test('the working directory is absolute and in its shortest form', () => {
  assert.is(specOf({ command: ['x'] }).process.cwd, '/')
  assert.is(specOf({ command: ['x'] }, { WorkingDir: 'srv/' }).process.cwd, '/srv')
  assert.is(specOf({ command: ['x'], workingDir: '/a/./b/..' }, { WorkingDir: '/srv' }).process.cwd, '/a')
  assert.throws(() => specOf({ command: ['x'], workingDir: 'a' }), /needs to be an absolute path/)
})

test('the host name is the short id unless said, and must be one', () => {
  assert.is(specOf({ command: ['x'] }).hostname, id.slice(0, 12))
  assert.is(specOf({ command: ['x'], hostname: 'a.example' }).hostname, 'a.example')
  for (const hostname of ['', '-a', 'a b', 'a'.repeat(65), 'a\nb'])
    assert.throws(() => specOf({ command: ['x'], hostname }), /invalid hostname/)
})

test('limits nobody named are set by the world, and never above what this process may have itself', () => {
  const linux = specOf({ command: ['x'], limits: { pids: 7 } }).limits
  assert.is(linux.pids, 7)
  assert.ok((linux.openFiles ?? 0) > 0)
  assert.is(linux.memoryBytes, undefined)
  const bare = specOf({ command: ['x'], limits: { memoryBytes: 1 } }, {}, 'bare').limits
  assert.is(bare.memoryBytes, 1)
  assert.is(bare.pids, undefined)
  assert.ok((bare.tableElements ?? 0) > 0)
})

test('isolation is what was asked for: no network, a writable root, unless said', () => {
  const plain = specOf({ command: ['x'] })
  assert.equal([plain.network.mode, plain.readonlyRootfs, plain.ephemeral, plain.process.terminal], ['none', false, false, false])
  const asked = specOf({ command: ['x'], network: 'host', readonlyRootfs: true, autoRemove: true, tty: true })
  assert.equal([asked.network.mode, asked.readonlyRootfs, asked.ephemeral, asked.process.terminal], ['host', true, true, true])
})

test.run()
