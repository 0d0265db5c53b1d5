/** Attacks on a build: by the files it is given, by the image it builds on, by what a RUN leaves behind. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { HostTree } from '../../src/build/context.js'
import { resolve, rootHandle } from '../../src/fs/resolve.js'
import type { Engine } from '../../src/index.js'
import { type PackEntry, packTar } from '../../src/layer/pack.js'
import { bytesSource } from '../../src/layer/source.js'
import { contextOf, describeBuilt, withBuilder } from '../support/build-cases.js'
import { assertRejects, stream, tarOf, withFolder } from '../support/image-fixtures.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('build/security')
const build = (engine: Engine, context: string, ...lines: readonly string[]) =>
  engine.images.build({ context, dockerfileText: lines.join('\n'), tags: ['built'], created: new Date(0) })

/** A folder with a secret beside the context, which must never be in an image. */
async function withSecret(body: (engine: Engine, context: string, secret: string) => Promise<void>): Promise<void> {
  await withBuilder(async (engine, folder) => {
    const context = await contextOf(folder, { 'inside/file': 'inside' })
    const secret = join(folder, 'secret')
    mkdirSync(secret)
    writeFileSync(join(secret, 'key'), 'secret')
    await body(engine, context, secret)
  })
}

test('CVE-2024-1753: a symlink of the context to a file or folder of the host leads nowhere', () =>
  withSecret(async (engine, context, secret) => {
    symlinkSync(join(secret, 'key'), join(context, 'key'))
    symlinkSync(secret, join(context, 'folder'))
    symlinkSync('../secret', join(context, 'relative'))
    symlinkSync('/', join(context, 'root'))
    for (const source of ['key', 'folder/key', 'folder', 'relative/key', 'root/etc/passwd', 'folder/*', 'root/etc/pass*'])
      await assertRejects(build(engine, context, 'FROM scratch', `COPY ${source} /x`), 'INVALID_ARGUMENT', /is not in the build context/)
    await build(engine, context, 'FROM scratch', 'COPY . /x')
    const { tree } = await describeBuilt(engine, 'built')
    assert.is(tree['x/folder'], `symlink 0777 0:0 -> ${secret}`, 'within a folder a symlink is a symlink')
    assert.equal(
      Object.keys(tree).filter((path) => path.includes('key')),
      ['x/key'],
    )
    assert.match(tree['x/key'] ?? '', /^symlink/)
  }))

test('a source with ".." above the context is refused, however it is written', () =>
  withSecret(async (engine, context) => {
    for (const source of ['../secret/key', '/../secret/key', 'inside/../../secret/key', '..', './/../secret', '../sec*/key'])
      await assertRejects(
        build(engine, context, 'FROM scratch', `COPY ${source} /x`),
        'UNSAFE_PATH',
        /forbidden path outside the build context/,
      )
    await assertRejects(build(engine, context, 'FROM scratch', 'ENV UP=../secret', 'COPY $UP/key /x'), 'UNSAFE_PATH')
  }))

test('variables that are made of each other do not grow without end: ARG, ENV, many in one line, before the first FROM', () =>
  withSecret(async (engine, context) => {
    const doubled = (name: string) => Array.from({ length: 30 }, () => `${name} A=$A$A`)
    const start = `A=${'x'.repeat(1000)}`
    const once = [`ENV ${start}`, ...doubled('ENV').slice(0, 9)]
    for (const lines of [
      ['FROM scratch', `ARG ${start}`, ...doubled('ARG')],
      [`ARG ${start}`, ...doubled('ARG'), 'FROM scratch'],
      ['FROM scratch', ...once, `ENV ${Array.from({ length: 40 }, (_, place) => `B${place}=\${A:-x}`).join(' ')}`],
      ['FROM scratch', ...once, ...Array.from({ length: 40 }, () => 'LABEL l=$A')],
    ])
      await assertRejects(build(engine, context, ...lines), 'LIMIT_EXCEEDED', /variables stand for more/)
    await assertRejects(
      build(engine, context, 'FROM scratch', `ENV ${start}`, ...doubled('ENV')),
      'INVALID_IMAGE',
      /documents have at most/,
    )
  }))

test('CVE-2024-9676: .dockerignore and the Dockerfile as symlinks out of the context are not read', () =>
  withSecret(async (engine, context, secret) => {
    writeFileSync(join(secret, 'patterns'), 'inside\n')
    symlinkSync(join(secret, 'patterns'), join(context, '.dockerignore'))
    await build(engine, context, 'FROM scratch', 'COPY inside /inside')
    const tar = Buffer.concat([
      ...packTar([{ path: 'Dockerfile', type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtimeNs: 0n, target: join(secret, 'key') }]),
    ])
    await assertRejects(engine.images.build({ context: stream(tar) }), 'INVALID_ARGUMENT', /there is no Dockerfile in the context/)
  }))

test('a FIFO in place of the Dockerfile or .dockerignore of a context is waited for by nobody', () =>
  withSecret(async (engine, context) => {
    execFileSync('mkfifo', [join(context, '.dockerignore'), join(context, 'Dockerfile')])
    await build(engine, context, 'FROM scratch', 'COPY inside /inside')
    await assertRejects(engine.images.build({ context }), 'INVALID_ARGUMENT', /Dockerfile is no file/)
  }))

test('CVE-2018-15664: a folder that becomes a symlink, or a file another, while it is read ends the build', () =>
  withFolder(async (folder) => {
    mkdirSync(join(folder, 'context/inside'), { recursive: true })
    mkdirSync(join(folder, 'secret'))
    writeFileSync(join(folder, 'context/inside/file'), 'inside')
    writeFileSync(join(folder, 'secret/file'), 'secret')
    const read = (swap: () => void) => {
      const tree = new HostTree(join(folder, 'context'))
      try {
        const { ino = 0 } = resolve(rootHandle(tree), 'inside/file', { followLast: true })
        swap()
        const bytes = new Uint8Array(10)
        return Buffer.from(bytes.subarray(0, tree.read(ino, bytes, 0))).toString()
      } catch (error) {
        return (error as { code?: string }).code
      } finally {
        tree.close()
      }
    }
    assert.is(
      read(() => {}),
      'inside',
    )
    const swapFolder = () => {
      renameSync(join(folder, 'context/inside'), join(folder, 'away'))
      symlinkSync(join(folder, 'secret'), join(folder, 'context/inside'))
    }
    assert.is(read(swapFolder), 'CONFLICT')
    rmSync(join(folder, 'context/inside'))
    renameSync(join(folder, 'away'), join(folder, 'context/inside'))
    const swapFile = () => {
      rmSync(join(folder, 'context/inside/file'))
      symlinkSync(join(folder, 'secret/file'), join(folder, 'context/inside/file'))
    }
    assert.is(read(swapFile), 'CONFLICT')
    rmSync(join(folder, 'context/inside/file'))
    writeFileSync(join(folder, 'context/inside/file'), 'inside')
    assert.is(
      read(() => writeFileSync(join(folder, 'context/inside/file'), 'another')),
      'CONFLICT',
    )
  }))

/** An image that is all symlinks out of itself. */
async function importTrap(engine: Engine, target: string): Promise<void> {
  const link = (path: string, to: string): PackEntry => ({ path, type: 'symlink', mode: 0o777, uid: 0, gid: 0, mtimeNs: 0n, target: to })
  const entries = [
    link('absolute', target),
    link('above', `../../../../../../../..${target}`),
    link('proc', '/proc/self/root'),
    link('file', `${target}/key`),
    { ...link('deep', ''), type: 'directory', mode: 0o755 } as const,
    link('deep/absolute', target),
    { ...link('etc', ''), type: 'directory', mode: 0o755 } as const,
    link('etc/passwd', `${target}/key`),
  ]
  await engine.images.import(stream(Buffer.concat([...packTar(entries)])), { reference: 'trap' })
}

test("CVE-2020-1726, CVE-2023-0778: COPY and WORKDIR through an image's symlinks stay inside the image", () =>
  withSecret(async (engine, context, secret) => {
    await importTrap(engine, secret)
    await build(
      engine,
      context,
      'FROM trap',
      'COPY inside/file /absolute/copied',
      'COPY inside /above/copied-folder/',
      'COPY inside/file /file',
      'COPY inside/file /deep/absolute/from-deep',
      'WORKDIR /absolute/work',
      'COPY inside/file relative',
      'COPY inside/file ../../../../../up',
    )
    assert.is(readFileSync(join(secret, 'key'), 'utf8'), 'secret')
    const { tree } = await describeBuilt(engine, 'built')
    const inside = secret.slice(1)
    for (const path of ['copied', 'copied-folder/file', 'from-deep', 'key', 'work/relative'])
      assert.match(tree[`${inside}/${path}`] ?? '', /^file/, path)
    assert.match(tree.up ?? '', /^file/)
  }))

test("CVE-2019-14271: names are looked up in the image's own /etc/passwd, and never by the host", () =>
  withSecret(async (engine, context, secret) => {
    await importTrap(engine, secret)
    for (const name of ['nobody', 'daemon', 'secret'])
      await assertRejects(build(engine, context, 'FROM trap', `COPY --chown=${name} inside /x`), 'INVALID_ARGUMENT', /unable to find user/)
  }))

const REFUSED_RUN_FLAGS: readonly (readonly [cve: string, what: string, flags: readonly string[]])[] = [
  [
    'CVE-2024-9407',
    'a bind mount of a RUN, whose propagation would be the host’s',
    ['--mount=type=bind,source=.,target=/x,bind-propagation=shared', '--mount=type=bind,bind-propagation=rshared,target=/x,rw'],
  ],
  [
    'CVE-2024-9675',
    'a cache mount of a RUN, whose target leaves the cache',
    ['--mount=type=cache,id=../../../../etc,target=/x', '--mount=type=cache,source=../..,target=/x'],
  ],
  [
    'CVE-2024-23651',
    'a cache mount with a source, for two RUNs to race',
    ['--mount=type=cache,source=inside,target=/x', '--mount=type=cache,id=a,target=/x,sharing=shared'],
  ],
  ['CVE-2024-23653', 'an entitlement of a RUN', ['--security=insecure', '--security=sandbox', '--device=/dev/sda']],
]

for (const [cve, what, flags] of REFUSED_RUN_FLAGS)
  test(`${cve}: ${what} is refused before anything is run`, () =>
    withSecret(async (engine, context) => {
      const before = await engine.images.list()
      for (const flag of flags)
        for (const written of [flag, flag.replace('--', '--network=none --')])
          await assertRejects(
            build(engine, context, 'FROM scratch', 'COPY inside /x', `RUN ${written} true`),
            'NOT_BUILT',
            new RegExp(`${flag.split('=')[0]}`),
          )
      assert.equal(await engine.images.list(), before)
    }))

test.needs(NATIVE, BUSYBOX)(
  'CVE-2024-23653: a RUN has the capabilities of any container, inside of its own namespace, and may not mount',
  () =>
    withBuilder(
      async (engine, folder) => {
        const context = await contextOf(folder, { file: 'x' })
        const has = (line: string) => `busybox grep -q "^${line}$" /proc/self/status`
        const held = [has('CapInh:.0*'), has('CapEff:.00000000a00405fb'), has('NoNewPrivs:.1'), has('Seccomp:.2')]
        await build(engine, context, 'FROM busybox', `RUN ${held.join(' && ')} && ! busybox mount -t tmpfs none /etc 2>/dev/null`)
      },
      { busybox: true },
    ),
)

test('CVE-2024-23652: symlinks of another stage do not lead out of it', () =>
  withSecret(async (engine, context, secret) => {
    await importTrap(engine, secret)
    for (const source of ['/absolute/key', '/above/key', '/file', '/etc/passwd', '/proc/etc/passwd'])
      await assertRejects(
        build(engine, context, 'FROM trap AS first', 'LABEL a=b', 'FROM scratch', `COPY --from=first ${source} /x`),
        'INVALID_ARGUMENT',
        /is not in the stage first/,
      )
  }))

test('a tar that is sent cannot bring more than its own files', () =>
  withBuilder(async (engine) => {
    const entry = (others: Partial<PackEntry>): PackEntry => ({
      path: 'x',
      type: 'file',
      mode: 0o644,
      uid: 7,
      gid: 7,
      mtimeNs: 0n,
      ...others,
    })
    const dockerfile = entry({ path: 'Dockerfile', contents: bytesSource(Buffer.from('FROM scratch\nCOPY . /\n')) })
    const send = (...entries: readonly PackEntry[]) =>
      engine.images.build({ context: stream(Buffer.concat([...packTar([dockerfile, ...entries])])), tags: ['built'] })
    await assertRejects(send(entry({ path: '../outside' })), 'UNSAFE_PATH')
    await assertRejects(send(entry({ type: 'symlink', path: 'a', target: '/' }), entry({ path: 'a/etc/x' })), 'UNSAFE_PATH')
    await send(entry({ path: 'inside', contents: bytesSource(Buffer.from('x')) }))
    assert.is((await describeBuilt(engine, 'built')).tree.inside, 'file 0644 0:0 1', "a context's files are root's")
    await assertRejects(engine.images.build({ context: stream(tarOf({ a: 'x' }).subarray(0, 512)) }), 'INVALID_ARCHIVE')
  }))

test.needs(NATIVE, BUSYBOX)('a RUN has no network, no file of the host, and cannot plant whiteouts or orders for overlay', () =>
  withBuilder(
    async (engine, folder) => {
      const context = await contextOf(folder, { file: 'x' })
      await assertRejects(build(engine, context, 'FROM busybox', 'RUN echo > /.wh.etc'), 'UNSAFE_PATH', /"\.wh\."/)
      await assertRejects(build(engine, context, 'FROM busybox', 'RUN --network=host true'), 'INVALID_ARGUMENT', /needs leave/)
      await build(
        engine,
        context,
        'FROM busybox',
        'RUN busybox ls /sys/class/net > /interfaces; busybox mknod /device c 1 3 || echo refused > /mknod',
        `RUN test ! -e ${folder}`,
      )
      const { tree } = await describeBuilt(engine, 'built')
      assert.is(tree.interfaces, 'file 0644 0:0 3', 'lo and nothing else')
      assert.match(tree.mknod ?? '', /^file/)
      assert.not.ok('device' in tree)
      assert.match(tree['etc/passwd'] ?? '', /^file/)
    },
    { busybox: true },
  ),
)

test.run()
