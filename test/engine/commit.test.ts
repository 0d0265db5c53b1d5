/** Images of containers, behind both walls: the tree that the container has is the one that a container of the image has. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import type { Container } from '../../src/container/container.js'
import type { CreateOptions } from '../../src/container/options.js'
import { Engine } from '../../src/engine/engine.js'
import { readEntries } from '../../src/layer/entry.js'
import { type PackEntry, packTar } from '../../src/layer/pack.js'
import { bytesSource } from '../../src/layer/source.js'
import { CommandLine } from '../support/command-line.js'
import { assertRejects } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE, UMOCI, WASM } from '../support/requirements.js'
import { packEntry, packFile } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('engine/commit')
const wolffia = new CommandLine()

const ROOT: readonly PackEntry[] = [
  packEntry('', { type: 'directory' }),
  packEntry('t', { type: 'directory' }),
  packFile('t/stays', 'stays'),
  packFile('t/goes', 'goes'),
  packFile('t/changes', 'before'),
  packEntry('t/opaque', { type: 'directory' }),
  packFile('t/opaque/hidden', 'hidden'),
  packEntry('t/becomes', { type: 'directory' }),
  packFile('t/becomes/file', 'x'),
]

/** What a container writes, in words of its own: the shell's, or the probe's. */
const WALLS = [
  {
    wall: 'native',
    needs: [NATIVE, BUSYBOX],
    image: 'strange-native',
    program: () => packFile('bin/busybox', readFileSync('/bin/busybox'), { mode: 0o755 }),
    options: {},
    script: [
      '/bin/busybox',
      'sh',
      '-c',
      `export PATH=/bin; b=/bin/busybox; cd /t; $b rm goes; echo after > changes; $b rm -r opaque; $b mkdir -m 0750 opaque; echo new > opaque/new
       $b rm -r becomes; echo file > becomes; $b ln opaque/new link; $b ln -s nowhere sym; $b truncate -s 1M holes; echo end >> holes
       $b mkfifo -m 600 fifo; $b mkdir "$($b printf 'n\\351\\n')"; $b chmod 4755 changes`,
    ],
  },
  {
    wall: 'wasm',
    needs: [WASM],
    image: 'strange-wasm',
    program: () => packFile('probe.wasm', readFileSync(resolve('dist/wasm/probe.wasm')), { mode: 0o755 }),
    options: { platform: 'wasi/wasm' },
    script: ['/probe.wasm', 'write', '/t/changes', 'after', ',', 'write', '/t/opaque/new', 'new'],
  },
] as const

async function withWritten(
  { image, script, program, options }: (typeof WALLS)[number],
  change: Partial<CreateOptions>,
  body: (container: Container, engine: Engine) => Promise<void>,
): Promise<void> {
  await using engine = await Engine.open({ home: wolffia.home })
  const root = Buffer.concat([...packTar([...ROOT, program()])])
  await engine.images.import(Readable.from([root]), { reference: image, process: { cmd: script, env: ['A=1', 'B=2'] }, ...options })
  const container = await engine.containers.define({ image, ...change })
  try {
    await container.start()
    assert.is((await container.wait()).exitCode, 0)
    await body(container, engine)
  } finally {
    await container.remove({ force: true })
  }
}

/** Places that a start makes, which are in no layer. */
const MADE = /^(dev|proc|sys|etc|etc\/(hosts|hostname|resolv\.conf))\/? /

/** Entries of a tar as lines. */
async function listed(tar: AsyncIterable<Uint8Array>): Promise<string[]> {
  const bytes = await buffer(tar as Readable)
  return [...readEntries(bytesSource(bytes), { fileBytes: 1 << 30 })]
    .map(({ name, type, mode, uid, gid, segments, target, size, mtimeNs }) => {
      const held = segments.map(
        ({ position, offset, length }) =>
          `@${position}=${createHash('sha256')
            .update(bytes.subarray(offset, offset + length))
            .digest('base64')}`,
      )
      return [name, type, mode.toString(8), `${uid}:${gid}`, target, size, mtimeNs, ...held].join(' ')
    })
    .filter((line) => !MADE.test(line) && !line.startsWith('./ '))
    .sort()
}

for (const each of WALLS) {
  const { wall, needs } = each

  test.needs(...needs)(`${wall}: a container of an image of a container has the same tree, and is committed to no further layer`, () =>
    withWritten(each, {}, async (container, engine) => {
      const image = await engine.images.commit(container, { reference: `again-${wall}`, changes: ['CMD ["/nothing"]'] })
      const again = await engine.containers.define({ image: `again-${wall}`, command: each.script.slice(0, 1), runtime: wall })
      try {
        const [has, had] = [await listed(await again.exportRoot()), await listed(await container.exportRoot())]
        assert.equal(
          { more: has.filter((line) => !had.includes(line)), less: had.filter((line) => !has.includes(line)) },
          { more: [], less: [] },
        )
        const [before, after] = [await engine.images.inspect(each.image), await engine.images.inspect(image.id)]
        assert.is(after.diffIds.length, before.diffIds.length + 1)
        const third = await engine.images.inspect((await engine.images.commit(again)).id)
        assert.equal(third.diffIds, after.diffIds)
      } finally {
        await again.remove({ force: true })
      }
    }),
  )

  test.needs(...needs)(`${wall}: the layer of a container has the same bytes each time`, () =>
    withWritten(each, {}, async (container) => {
      const first = await buffer(await container.layer())
      assert.ok(first.length > 1024)
      assert.ok((await buffer(await container.layer())).equals(first))
    }),
  )

  test.needs(...needs)(`${wall}: an image has what its container was made with`, () =>
    withWritten(
      each,
      {
        env: { B: '3', C: '4' },
        workingDir: '/t',
        labels: { color: 'red' },
        entrypoint: [...each.script.slice(0, 1)],
        command: each.script.slice(1),
      },
      async (container, engine) => {
        const { id } = await engine.images.commit(container, { author: 'who', message: 'why', changes: ['ENV D=$B', 'LABEL size=big'] })
        const { process } = await engine.images.inspect(id)
        assert.equal(process, {
          entrypoint: each.script.slice(0, 1),
          cmd: each.script.slice(1),
          env: ['A=1', 'B=3', 'C=4', 'D=3'],
          workingDir: '/t',
          user: '',
          labels: { color: 'red', size: 'big' },
        })
      },
    ),
  )
}

test.needs(
  NATIVE,
  BUSYBOX,
  UMOCI,
)('umoci unpacks what a container has become', () =>
  withWritten(WALLS[0], {}, async (container, engine) => {
    await engine.images.commit(container, { reference: 'witness' })
    const bundle = join(wolffia.folder, 'bundle')
    await promisify(execFile)('umoci', ['unpack', '--rootless', '--image', `${wolffia.home}:docker.io/library/witness:latest`, bundle])
    const tree = join(bundle, 'rootfs/t')
    assert.equal(
      readdirSync(tree, { encoding: 'latin1' }).sort(),
      ['becomes', 'changes', 'fifo', 'holes', 'link', 'n\u00e9', 'opaque', 'stays', 'sym'].sort(),
    )
    assert.equal(readdirSync(join(tree, 'opaque')), ['new'])
    assert.is(lstatSync(join(tree, 'link')).ino, lstatSync(join(tree, 'opaque/new')).ino)
    assert.is(readFileSync(join(tree, 'changes'), 'utf8'), 'after\n')
    assert.is(lstatSync(join(tree, 'opaque')).mode & 0o777, 0o750)
  }),
)

test.needs(NATIVE, BUSYBOX)('a container that runs is paused while it is committed, and goes on also when that fails', () =>
  withWritten(WALLS[0], {}, async (_, engine) => {
    const container = await engine.containers.define({
      image: WALLS[0].image,
      command: ['/bin/busybox', 'sh', '-c', 'while :; do echo x >> /t/log; /bin/busybox sleep 0.01; done'],
    })
    try {
      await container.start()
      await engine.images.commit(container)
      assert.is(container.status, 'running')
      await assertRejects(engine.images.commit(container, { changes: ['NOTHING'] }), 'INVALID_ARGUMENT')
      assert.is(container.status, 'running')
      await container.pause()
      await engine.images.commit(container)
      assert.is(container.status, 'paused')
    } finally {
      await container.remove({ force: true })
    }
  }),
)

test.needs(NATIVE, WASM)('a Wasm container that runs is committed, and goes on', () =>
  withWritten(WALLS[1], {}, async (_, engine) => {
    const command = ['/probe.wasm', 'write', '/t/new', 'new', ',', 'print', 'written', ',', 'loop']
    const container = await engine.containers.define({ image: WALLS[1].image, command })
    try {
      const attached = await container.start({ attach: true })
      for await (const _said of attached?.stdout ?? []) break
      const { id } = await engine.images.commit(container)
      assert.is(container.status, 'running')
      const again = await engine.containers.define({ image: id, command, runtime: 'wasm' })
      assert.ok((await listed((await again.copyOut('/t/new')).tar)).some((line) => line.startsWith('new file')))
      await again.remove()
    } finally {
      await container.remove({ force: true })
    }
  }),
)

test.needs(NATIVE, BUSYBOX)('what only the guest has, and what lost its image, is no image', () =>
  withWritten(WALLS[0], {}, async (container, engine) => {
    const ephemeral = await engine.containers.define({
      image: WALLS[0].image,
      command: ['/bin/busybox', 'sleep', '60'],
      autoRemove: true,
    })
    await ephemeral.start()
    await assertRejects(engine.images.commit(ephemeral), 'CONFLICT')
    assert.is(ephemeral.status, 'running')
    await ephemeral.remove({ force: true })
    await engine.images.remove(WALLS[0].image, { force: true })
    const ids = (await engine.images.list()).map(({ id }) => id)
    await assertRejects(engine.images.commit(container), 'CONFLICT')
    assert.equal(
      (await engine.images.list()).map(({ id }) => id),
      ids,
    )
  }),
)

test('a commit that fails leaves nothing in the store', () => {
  assert.equal(readdirSync(join(wolffia.home, 'ingest')), [])
})

test('nothing is left of all that', () => wolffia.end())

test.run()
