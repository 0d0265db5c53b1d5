/** Files of images and containers as `node:fs`, behind both walls. */
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import type { Container } from '../../src/container/container.js'
import type { CreateOptions } from '../../src/container/options.js'
import { Engine } from '../../src/engine/engine.js'
import { CommandLine } from '../support/command-line.js'
import { assertRejects } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE, WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('engine/node-fs')
const wolffia = new CommandLine()
const native = test.needs(NATIVE, BUSYBOX)
const wasm = test.needs(WASM)

async function withContainer(options: CreateOptions, body: (container: Container, engine: Engine) => Promise<void>): Promise<void> {
  await wolffia.busybox()
  await wolffia.output('import', resolve('dist/wasm/probe.wasm'), 'probe')
  await using engine = await Engine.open({ home: wolffia.home })
  const container = await engine.containers.define({ log: { driver: 'json-file', maximumBytes: null, files: 1 }, ...options })
  try {
    await body(container, engine)
  } finally {
    await container.remove({ force: true })
  }
}

const run = async (container: Container) => {
  await container.start()
  const { exitCode } = await container.wait()
  assert.is(exitCode, 0)
}

const logged = async (container: Container) => {
  let all = ''
  for await (const { text: line } of container.logs()) all += line
  return all
}

test("an image's files stay readable when the image is gone", async () => {
  await wolffia.output('import', resolve('dist/wasm/hello.wasm'), 'going')
  await using engine = await Engine.open({ home: wolffia.home })
  await using fs = await engine.images.fs('going')
  const [module = ''] = fs.readdirSync('/')
  await engine.images.remove('going')
  assert.is(fs.readFileSync(`/${module}`, 'latin1').slice(0, 4), '\0asm')
  await assertRejects(engine.images.fs('going'), 'IMAGE_NOT_FOUND')
})

native("an image's files are read in every form", async () => {
  await wolffia.busybox()
  await using engine = await Engine.open({ home: wolffia.home })
  await using fs = await engine.images.fs('busybox')
  assert.ok(fs.readdirSync('/bin').includes('busybox'))
  const { size } = await fs.promises.stat('/bin/busybox')
  const magic = fs.createReadStream('/bin/busybox', { end: 3, encoding: 'latin1' })
  assert.is(await text(magic), '\x7fELF')
  assert.throws(() => fs.writeFileSync('/new', ''), /EROFS/)
  assert.is(fs.readFileSync('/bin/busybox').length, size)
  await assertRejects(engine.images.fs('busybax'), 'IMAGE_NOT_FOUND')
  await assertRejects(engine.images.fs('busybox', { platform: 'linux/s390x' }), 'PLATFORM_NOT_FOUND')
})

native('what a native container has written is seen in its fs, and what it has removed is not', () =>
  withContainer(
    {
      image: 'busybox',
      command: ['sh', '-c', 'mkdir -p /srv/a && echo made > /srv/a/f && ln -f /srv/a/f /srv/g && rm -rf /tmp && chmod 600 /srv/g'],
    },
    async (container) => {
      await using before = await container.fs()
      assert.is(before.existsSync('/srv/a'), false)
      assert.ok(before.existsSync('/tmp'))
      await run(container)
      await using fs = await container.fs()
      assert.is(fs.readFileSync('/srv/a/f', 'utf8'), 'made\n')
      assert.equal([fs.statSync('/srv/a/f').ino, fs.statSync('/srv/g').mode & 0o777], [fs.statSync('/srv/g').ino, 0o600])
      assert.is(fs.existsSync('/tmp'), false)
      assert.throws(() => fs.rmSync('/srv', { recursive: true }), /EROFS/)
      // What is only read holds nothing.
      await run(container)
    },
  ),
)

native('of a native container that runs its fs shows the files of that moment', () =>
  withContainer({ image: 'busybox', command: ['sh', '-c', 'echo one > /f; sleep 60'] }, async (container) => {
    await container.start()
    for (;;) {
      await using fs = await container.fs()
      if (fs.existsSync('/f') && fs.statSync('/f').size > 0) break
    }
    await container.kill('SIGKILL')
    await container.wait()
  }),
)

wasm('what is written to the files of a Wasm container is there at its next start, and what is removed is not', () =>
  withContainer({ image: 'probe', command: ['cat', '/srv/note'] }, async (container) => {
    {
      await using fs = await container.fs({ writable: true })
      fs.mkdirSync('/srv/old', { recursive: true })
      fs.writeFileSync('/srv/note', 'from the host\n', { mode: 0o640 })
      await fs.promises.writeFile('/srv/old/x', 'x')
    }
    await run(container)
    assert.is(await logged(container), 'from the host\n')
    {
      await using fs = await container.fs({ writable: true })
      assert.is(fs.readFileSync('/srv/old/x', 'utf8'), 'x')
      fs.rmSync('/srv/old', { recursive: true })
      fs.appendFileSync('/srv/note', 'twice\n')
    }
    await using fs = await container.fs()
    assert.equal(fs.readdirSync('/srv'), ['note'])
    assert.is(fs.statSync('/srv/note').mode & 0o777, 0o640)
    assert.throws(() => fs.unlinkSync('/srv/note'), /EROFS/)
    await run(container)
    assert.match(await logged(container), /twice\n$/)
  }),
)

wasm('a container is not started while its files are being written, and nothing is kept when nothing was changed', () =>
  withContainer({ image: 'probe', command: ['cat', '/f'] }, async (container) => {
    const fs = await container.fs({ writable: true })
    fs.writeFileSync('/f', 'in time\n')
    const running = run(container)
    await new Promise((resolved) => setTimeout(resolved, 300))
    assert.is(container.status, 'created')
    await fs[Symbol.asyncDispose]()
    await running
    assert.is(await logged(container), 'in time\n')
    await (await container.fs({ writable: true }))[Symbol.asyncDispose]()
    assert.equal(
      (await container.written()).changes.map(({ path }) => path),
      ['f'],
    )
  }),
)

wasm('the files of a Wasm container that runs are read, and those that would be lost are not written', () =>
  withContainer({ image: 'probe', command: ['loop'] }, async (container, engine) => {
    await container.start()
    {
      await using running = await container.fs()
      assert.ok(running.readdirSync('/').length > 0)
      assert.throws(() => running.writeFileSync('/f', ''), /EROFS/)
    }
    await container.kill('SIGKILL')
    await container.wait()
    await (await container.fs())[Symbol.asyncDispose]()
    const passing = await engine.containers.define({ image: 'probe', command: ['loop'], autoRemove: true })
    await assertRejects(passing.fs({ writable: true }), 'CONFLICT')
    await passing.remove()
  }),
)

wasm('a read-only root is not written, and a limit of the disk holds for the host too', () =>
  withContainer({ image: 'probe', command: ['loop'], readonlyRootfs: true, limits: { diskBytes: 1 << 20 } }, async (container, engine) => {
    {
      await using fs = await container.fs({ writable: true })
      assert.throws(() => fs.writeFileSync('/f', ''), /EROFS/)
    }
    const limited = await engine.containers.define({ image: 'probe', command: ['loop'], limits: { diskBytes: 1 << 20 } })
    {
      await using fs = await limited.fs({ writable: true })
      assert.throws(() => fs.writeFileSync('/f', Buffer.alloc(2 << 20)), /ENOSPC/)
      fs.rmSync('/f')
    }
    await limited.remove()
  }),
)

wasm('an image or a container as node:fs is a mount of another container', () =>
  withContainer({ image: 'probe', command: ['loop'] }, async (container, engine) => {
    await using files = await container.fs({ writable: true })
    files.writeFileSync('/given', 'from one container')
    {
      await using other = await engine.containers.create({
        image: 'probe',
        command: ['rename', '/work/given', '/work/taken'],
        mounts: [{ type: 'fs', destination: '/work', fs: files }],
        autoRemove: true,
      })
      await other.start()
      assert.is((await other.wait()).exitCode, 0)
    }
    assert.is(files.readFileSync('/taken', 'utf8'), 'from one container')
  }),
)

test('nothing is left', () => wolffia.end())

test.run()
