/** Guests that attack whoever copies their files. */
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { Container } from '../../src/container/container.js'
import type { CreateOptions } from '../../src/container/options.js'
import { Engine } from '../../src/engine/engine.js'
import { packTar } from '../../src/layer/pack.js'
import { CommandLine } from '../support/command-line.js'
import { assertRejects } from '../support/image-fixtures.js'
import { BUSYBOX, CC, NATIVE } from '../support/requirements.js'
import { packEntry, packFile } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('engine/copying security')
const native = test.needs(NATIVE, BUSYBOX)
const wolffia = new CommandLine()

async function withRunning(
  options: Partial<CreateOptions> & { readonly script: string },
  body: (container: Container, engine: Engine) => Promise<void>,
): Promise<void> {
  await wolffia.busybox()
  await using engine = await Engine.open({ home: wolffia.home })
  const { script, ...others } = options
  const container = await engine.containers.define({ image: 'busybox', command: ['sh', '-c', script], ...others })
  try {
    await container.start()
    await body(container, engine)
  } finally {
    await container.remove({ force: true })
  }
}

const tarOf = (...entries: Parameters<typeof packTar>[0][]) => Readable.from(entries.map((each) => Buffer.concat([...packTar(each)])))
const ignored = () => {}

native('CVE-2018-15664: a guest that swaps a directory and a symlink while files are copied leads nobody out of its root', async () => {
  const secret = join(wolffia.folder, 'host')
  mkdirSync(secret)
  writeFileSync(join(secret, 'file'), "the host's")
  const script = `cd /tmp; while :; do
    rm -rf x; ln -s ${secret} x; rm x; ln -s /proc/1/root${secret} x; rm x; ln -s ../../../../../../..${secret} x; rm x; mkdir x; echo "the guest's" > x/file; sleep 0.1
  done`
  await withRunning({ script }, async (container, engine) => {
    const to = join(wolffia.folder, 'to')
    let copied = 0
    for (let round = 0; round < 40 && (round < 12 || copied === 0); round++) {
      const tar = await container.copyOut('/tmp/x/file').then(
        (out) => buffer(out.tar).catch(() => Buffer.alloc(0)),
        () => Buffer.alloc(0),
      )
      assert.not.ok(tar.includes("the host's"))
      if (tar.includes("the guest's")) copied++
      rmSync(to, { recursive: true, force: true })
      await engine.containers.copyToHost(container, '/tmp/x/', to).catch(ignored)
      if (existsSync(join(to, 'file'))) assert.not.match(readFileSync(join(to, 'file'), 'utf8'), "the host's")
      await container.copyIn('/tmp/x', tarOf([packFile('written', 'x'), packFile('file', 'overwritten')])).catch(ignored)
      await container.copyIn('/tmp', tarOf([packEntry('x', { type: 'directory' }), packFile('x/written', 'x')])).catch(ignored)
      await container.copyIn('/tmp', tarOf([packFile('x/written', 'x')])).catch(ignored)
    }
    assert.ok(copied > 0, 'the guest was never in the state that it should be')
  })
  assert.is(readFileSync(join(secret, 'file'), 'utf8'), "the host's")
  assert.not.ok(existsSync(join(secret, 'written')))
})

native(
  'CVE-2018-15664: a guest that swaps a directory and a symlink leads nothing that is written through container.fs out of that directory',
  async () => {
    const outside = join(wolffia.folder, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'file'), "the host's")
    const script = `mkdir -p /x/in /aside/in; cd /; while :; do
    mv x y; ln -s ${outside} x; rm x; ln -s /aside x; rm x; ln -s ../../../../../../../..${outside} x; rm x; mv y x; sleep 0.05
  done`
    await withRunning(
      { script, mounts: [{ type: 'bind', source: outside, destination: '/mounted', readonly: false }] },
      async (container) => {
        let written = 0
        for (let round = 0; round < 60 && (round < 20 || written === 0); round++) {
          const fs = await container.fs({ writable: true })
          // Where the symlink is in the files of the moment, it is followed there, and that is asked for.
          for (const folder of ['/x', '/x/in', '/mounted'])
            if (fs.existsSync(folder) && fs.realpathSync(folder) === folder) {
              fs.writeFileSync(`${folder}/written-${round}`, 'x')
              fs.rmSync(`${folder}/file`, { force: true })
              fs.chmodSync(folder, 0o700 | (round & 7))
            }
          await fs[Symbol.asyncDispose]().then(() => written++, ignored)
        }
        assert.ok(written > 0, 'the guest was never in the state that it should be')
        await using after = await container.fs()
        assert.equal(after.readdirSync('/aside'), ['in'])
        assert.equal(after.readdirSync('/aside/in'), [])
      },
    )
    assert.equal(readdirSync(outside), ['file'])
    assert.is(readFileSync(join(outside, 'file'), 'utf8'), "the host's")
  },
)

native('a path through /proc of a container leads nowhere, whether it runs or not', () =>
  withRunning({ script: 'busybox ln -s /proc/self/root/etc /tmp/link; sleep 60' }, async (container) => {
    for (const stop of [async () => {}, () => container.stop({ timeoutMs: 0 })]) {
      await stop()
      for (const path of ['/proc/self/root/etc/passwd', '/proc/1/root/etc/passwd', '/tmp/link/passwd', '/proc/self/fd/0'])
        await assertRejects(container.copyOut(path), 'FILE_NOT_FOUND')
    }
  }),
)

test.needs(
  NATIVE,
  BUSYBOX,
  CC,
)('CVE-2019-14271: no library of a guest’s is loaded by what copies its files', async () => {
  const source = join(wolffia.folder, 'evil.c')
  const library = join(wolffia.folder, 'evil.so')
  writeFileSync(
    source,
    '#include <fcntl.h>\n__attribute__((constructor)) static void loaded(void) { open("/loaded", O_CREAT | O_WRONLY, 0644); }\n',
  )
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, source])
  const evil = readFileSync(library)
  await withRunning({ script: 'sleep 60' }, async (container) => {
    const folders = ['lib', 'lib64', 'usr', 'usr/lib', 'usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu']
    await container.copyIn(
      '/',
      tarOf([
        ...folders.map((path) => packEntry(path, { type: 'directory' })),
        ...folders.flatMap((path) =>
          ['libnss_files.so.2', 'libnss_compat.so.2', 'libc.so.6'].map((name) => packFile(`${path}/${name}`, evil, { mode: 0o755 })),
        ),
        packFile('etc/nsswitch.conf', 'passwd: files compat\ngroup: files compat\n'),
        packFile('etc/ld.so.preload', '/lib/libnss_files.so.2\n'),
      ]),
    )
    for (let round = 0; round < 2; round++) {
      await buffer((await container.copyOut('/etc')).tar)
      await container.copyIn('/tmp', tarOf([packFile('new', 'x', { uid: 33, gid: 33 })]))
      await buffer(await container.exportRoot())
      await assertRejects(container.statPath('/loaded'), 'FILE_NOT_FOUND')
      if (round === 0) await container.stop({ timeoutMs: 0 })
    }
  })
})

native('a symlink of a guest’s, or one on the host, is written over and not through', () =>
  withRunning({ script: 'mkdir /d; echo x > /d/one; sleep 60' }, async (container, engine) => {
    const isThere = () =>
      container.statPath('/d/one').then(
        ({ size }) => size > 0,
        () => false,
      )
    for (let tries = 0; !(await isThere()) && tries < 400; tries++) await new Promise((soon) => setTimeout(soon, 25))
    const [to, victim] = [join(wolffia.folder, 'over'), join(wolffia.folder, 'victim')]
    mkdirSync(to)
    writeFileSync(victim, 'mine')
    symlinkSync(victim, join(to, 'one'))
    await engine.containers.copyToHost(container, '/d/.', to)
    assert.is(readFileSync(victim, 'utf8'), 'mine')
    assert.ok(lstatSync(join(to, 'one')).isFile())
    // A directory that is a symlink on the host is none for an archive.
    mkdirSync(join(wolffia.folder, 'aside'))
    symlinkSync(join(wolffia.folder, 'aside'), join(to, 'd'))
    await assertRejects(engine.containers.copyToHost(container, '/d', to), 'INVALID_ARGUMENT')
    assert.not.ok(existsSync(join(wolffia.folder, 'aside/one')))
  }),
)

test('nothing is left of all that', () => wolffia.end())

test.run()
