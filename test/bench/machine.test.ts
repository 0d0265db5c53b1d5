import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import * as assert from 'uvu/assert'
import { file, folder, link, tree, writeInitramfs } from '../../bench/machine/initramfs.js'
import { machineKernel } from '../../bench/machine/kernel.js'
import { encodeWords, exitCodeOf, machineCommand } from '../../bench/machine/machine.js'
import { BUSYBOX } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('bench/machine')

async function within(body: (directory: string) => void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'wolffia-machine-'))
  try {
    body(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test.needs(BUSYBOX)(
  'what is written for a kernel is what cpio reads, names and modes and links and lengths that are no multiple of four',
  () =>
    within((directory) => {
      const [source, output] = [join(directory, 'source'), join(directory, 'root.cpio')]
      mkdirSync(join(source, 'below'), { recursive: true })
      writeFileSync(join(source, 'below/f'), 'content')
      writeFileSync(join(source, 'é'), '')
      writeInitramfs(output, [
        folder('a', 0o700),
        file('a/f', 'x'.repeat(4097), 0o755),
        link('l', 'a/f'),
        file('empty', ''),
        ...tree(source, 'tree'),
      ])
      const unpacked = join(directory, 'unpacked')
      mkdirSync(join(unpacked, 'tree'), { recursive: true })
      execFileSync('/bin/busybox', ['cpio', '-i', '-d', '-F', output], { cwd: unpacked, stdio: ['ignore', 'ignore', 'pipe'] })
      const mode = (path: string) => lstatSync(join(unpacked, path)).mode & 0o7777
      assert.equal([mode('a'), mode('a/f')], [0o700, 0o755])
      assert.is(readFileSync(join(unpacked, 'a/f'), 'utf8'), 'x'.repeat(4097))
      assert.is(readlinkSync(join(unpacked, 'l')), 'a/f')
      assert.is(readFileSync(join(unpacked, 'empty'), 'utf8'), '')
      assert.is(readFileSync(join(unpacked, 'tree/below/f'), 'utf8'), 'content')
      assert.ok(lstatSync(join(unpacked, 'tree/é')).isFile())
    }),
)

test('modules come after those that they depend on, each once, and the newest kernel is taken', () =>
  within((directory) => {
    for (const version of ['6.1.0-8-cloud', '6.1.0-9-cloud', '6.1.0-10-cloud']) {
      const modules = join(directory, 'lib/modules', version, 'kernel')
      mkdirSync(modules, { recursive: true })
      mkdirSync(join(directory, 'boot'), { recursive: true })
      writeFileSync(join(directory, `boot/vmlinuz-${version}`), '')
      for (const [name, depends] of [
        ['ring', ''],
        ['some-bus', 'ring'],
        ['console', 'some_bus,ring'],
      ])
        writeFileSync(join(modules, `${name}.ko`), `\x7fELF\0license=GPL\0depends=${depends}\0name=${name}\0`)
    }
    const kernel = machineKernel(directory)
    assert.is(kernel.version, '6.1.0-10-cloud')
    const names = kernel.modules(['console', 'some_bus', 'built_in']).map((path) => basename(path))
    assert.equal(names, ['ring.ko', 'some-bus.ko', 'console.ko'])
  }))

test('without a kernel it is said how to get one, and for which folder', () =>
  within((directory) => {
    assert.throws(() => machineKernel(directory), new RegExp(`there is no kernel .*apt-get download .*dpkg-deb -x .* ${directory}`))
  }))

test('words reach the first process as they are, as long as a kernel takes them', () => {
  assert.is(Buffer.from(encodeWords(['a b', '"\n', '']), 'hex').toString(), 'a b\0"\n\0\0')
  const machine = { kernelPath: '/kernel', initramfsPath: '/root,1' }
  const start = { memoryMebibytes: 64, processors: 1 }
  assert.ok(machineCommand(machine, { ...start, words: ['true'], servePath: '/a,b' }).includes('pipe,id=port1,path=/a,,b'))
  assert.throws(() => machineCommand(machine, { ...start, words: ['x'.repeat(1000)] }), /command line takes no \d+ bytes/)
})

test('QEMU’s exit code tells the program’s, or that the machine ended by itself', () => {
  assert.equal([0, 1, 3, 15, 253, 4].map(exitCodeOf), [0, null, 1, 7, 126, null])
})

test.run()
