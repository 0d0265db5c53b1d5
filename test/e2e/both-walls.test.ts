/**
 * One image made with umoci, and a hand-made layer with the opaque marker that umoci never writes, behind both walls: each guest sees
 * of its tree what its ABI can show. That the trees are equal in every attribute to what umoci unpacks is `layer/stack` and `rootfs/trees`.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { fromUtf8 } from '../../src/fs/names.js'
import { packTar } from '../../src/layer/pack.js'
import { CommandLine } from '../support/command-line.js'
import { BUSYBOX, NATIVE, UMOCI, WASM } from '../support/requirements.js'
import { packEntry, packFile } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/both walls')
const wolffia = new CommandLine()
const LONG = 'long-name-'.repeat(20)
/** Types as WASI numbers them, by the words of busybox's stat. */
const WASI_TYPES: Readonly<Record<string, number>> = {
  directory: 3,
  'regular file': 4,
  'regular empty file': 4,
  'symbolic link': 7,
  fifo: 0,
}

/** The second layer: hides a file and a whole directory of the first, and puts other things in their place. */
function secondLayer(): Uint8Array {
  return Buffer.concat([
    ...packTar([
      packEntry('tree', { type: 'directory', mode: 0o755 }),
      packFile('tree/.wh.removed', ''),
      packEntry('tree/opaque', { type: 'directory', mode: 0o755 }),
      packFile('tree/opaque/new', 'new'),
      packFile('tree/opaque/.wh..wh..opq', ''),
      packFile(fromUtf8('tree/ünïcödé-名前'), 'names are bytes'),
      packFile('tree/setuid', 'x', { mode: 0o4755, uid: 33, xattrs: new Map([['user.note', Uint8Array.of(0, 255, 10)]]) }),
      packEntry('tree/fifo', { type: 'fifo', mode: 0o644 }),
    ]),
  ])
}

function makeImage(): void {
  const call = (command: string, ...words: string[]) =>
    execFileSync(command, words, { cwd: wolffia.folder, stdio: ['ignore', 'pipe', 'pipe'] })
  call('umoci', 'init', '--layout', 'image')
  call('umoci', 'new', '--image', 'image:base')
  call('umoci', 'unpack', '--rootless', '--image', 'image:base', 'bundle')
  const root = join(wolffia.folder, 'bundle/rootfs')
  copyFileSync(resolve('dist/wasm/probe.wasm'), join(root, 'probe.wasm'))
  const script = `mkdir -p bin tree/opaque/old tree/deep/er/still; cp /bin/busybox bin/busybox; chmod 755 bin/busybox probe.wasm
    for name in sh find stat; do ln -s busybox bin/$name; done
    echo one > tree/file; ln tree/file tree/hard-link; ln -s ../etc tree/link; echo gone > tree/removed
    echo hidden > tree/opaque/old/file; echo long > tree/deep/er/${LONG}`
  execFileSync('sh', ['-ec', script], { cwd: root })
  call('umoci', 'repack', '--image', 'image:both', 'bundle')
  writeFileSync(join(wolffia.folder, 'second.tar'), secondLayer())
  call('umoci', 'raw', 'add-layer', '--image', 'image:both', 'second.tar')
}

test.needs(
  NATIVE,
  WASM,
  UMOCI,
  BUSYBOX,
)('the same image shows the same tree behind both walls', async () => {
  makeImage()
  await wolffia.output('load', '-i', join(wolffia.folder, 'image'))
  const shown = await wolffia.output('run', '--rm', 'image:both', '/bin/find', '/tree', '-exec', '/bin/stat', '-c', '%F|%n', '{}', ';')
  const native = shown
    .trim()
    .split('\n')
    .map((line) => line.split('|'))
    .filter(([, path]) => path !== '/tree')
  const walked = await wolffia.output('run', '--rm', 'image:both', '/probe.wasm', 'walk', '/tree')
  assert.equal(walked.trim().split('\n').sort(), native.map(([type, path]) => `${WASI_TYPES[type ?? ''] ?? type} ${path}`).sort())
  const paths = native.map(([, path]) => path)
  assert.ok(paths.includes('/tree/ünïcödé-名前') && paths.includes(`/tree/deep/er/${LONG}`) && paths.includes('/tree/fifo'))
  assert.ok(!paths.includes('/tree/removed') && !paths.includes('/tree/opaque/old'))
})

test.needs(
  NATIVE,
  UMOCI,
  BUSYBOX,
)('a native guest sees setuid, owner and link count', async () => {
  const words = ['/bin/stat', '-c', '%a %h %s', '/tree/setuid', '/tree/hard-link']
  assert.is(await wolffia.output('run', '--rm', 'image:both', ...words), '4755 1 1\n644 2 4\n')
})

test.needs(
  NATIVE,
  WASM,
  UMOCI,
  BUSYBOX,
)('the image runs behind the wall that its program asks for, and the other says why not', async () => {
  const { code, stderr } = await wolffia.run(['run', '--rm', '--runtime', 'native', 'image:both', '/probe.wasm'])
  assert.is(code, 125)
  assert.match(stderr, '--runtime wasm')
})

test('nothing is left', () => wolffia.end())

test.run()
