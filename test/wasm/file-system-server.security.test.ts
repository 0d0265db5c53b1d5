/** A sandbox that was broken open speaks to the server itself. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Volume } from 'memfs'
import * as assert from 'uvu/assert'
import { ObjectFileSystem } from '../../src/fs/object-file-system.js'
import { serveFileSystems } from '../../src/wasm/file-system-server.js'
import { REMOTE_BODY_BYTES, REMOTE_FRAME_BYTES, REMOTE_HEAD_BYTES, remoteFrame } from '../../src/wasm/sandbox/remote-protocol.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/file-system-server.security')

/** Both ends of a socket. */
async function pair(): Promise<[Socket, Socket]> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-server-'))
  try {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve))
    const theirs = connect(join(folder, 'socket'))
    const [ours] = (await once(server, 'connection')) as [Socket]
    server.close()
    return [ours, theirs]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Attack {
  readonly volume: Volume
  /** Answer's value, or `errno`, or null when the conversation was ended. */
  ask(call: unknown, ...arguments_: unknown[]): Promise<unknown>
  send(bytes: Uint8Array): Promise<unknown>
}

async function attacked(
  body: (attack: Attack) => Promise<void>,
  limits = { diskBytes: 100_000, inodes: 50 },
  readonly = false,
): Promise<void> {
  const volume = Volume.fromJSON({ '/mine/f': 'mine', '/outside': 'secret' })
  const [ours, theirs] = await pair()
  const fs = new ObjectFileSystem(volume, { root: '/mine', limits, openFiles: 4 })
  const served = serveFileSystems(ours, new Map([[0, { fs, readonly }]]))
  const chunks: Buffer[] = []
  let ended = false
  theirs.on('data', (chunk: Buffer) => chunks.push(chunk))
  for (const name of ['end', 'close', 'error']) theirs.on(name, () => (ended = true))
  const send = async (bytes: Uint8Array) => {
    chunks.length = 0
    if (!ended) theirs.write(bytes)
    for (;;) {
      const all = Buffer.concat(chunks)
      if (all.length >= REMOTE_FRAME_BYTES && all.length >= REMOTE_FRAME_BYTES + all.readUInt32LE(0) + all.readUInt32LE(4)) {
        const head = JSON.parse(all.toString('utf8', REMOTE_FRAME_BYTES, REMOTE_FRAME_BYTES + all.readUInt32LE(0)))
        return 'errno' in head ? head.errno : head.value
      }
      if (ended) return null
      await new Promise(setImmediate)
    }
  }
  try {
    await body({
      volume,
      send,
      ask: (call, ...arguments_) => send(remoteFrame({ number: 0, call: call as string, arguments: arguments_ })),
    })
  } finally {
    theirs.destroy()
    await served
  }
}

const file = { type: 'file', mode: 0o644, uid: 0, gid: 0, target: null }

test('a name that leads up, or through a slash, reaches nothing', () =>
  attacked(async ({ ask, volume }) => {
    for (const name of ['..', '.', '', '../outside', '/outside', 'a/b', 'a\0b']) {
      assert.is(await ask('lookup', 1, name), 'EINVAL', JSON.stringify(name))
      assert.is(await ask('create', 1, name, file), 'EINVAL', JSON.stringify(name))
      assert.is(await ask('rename', 1, 'f', 1, name), 'EINVAL', JSON.stringify(name))
      assert.is(await ask('unlink', 1, name), 'EINVAL', JSON.stringify(name))
    }
    assert.equal(volume.toJSON(), { '/mine/f': 'mine', '/outside': 'secret' })
  }))

test('a symlink to the outside is never followed for whoever made it', () =>
  attacked(async ({ ask, volume }) => {
    const link = await ask('create', 1, 'link', { ...file, type: 'symlink', target: '/outside' })
    assert.is(await ask('write', link, 0), 'EINVAL')
    assert.is(await ask('read', link, 0, 10), 'EINVAL')
    assert.is(await ask('link', link, 1, 'other'), 'EPERM')
    assert.is(await ask('lookup', link, 'x'), 'ENOTDIR')
    await ask('setAttributes', link, { mode: 0 })
    assert.is(volume.readFileSync('/outside', 'utf8'), 'secret')
    assert.is(volume.statSync('/outside').mode & 0o777, 0o666)
  }))

test('a name that is not UTF-8 is refused', () =>
  attacked(async ({ ask }) => {
    assert.is(await ask('create', 1, '\xff\xfe', file), 'EILSEQ')
    assert.is(await ask('create', 1, 's', { ...file, type: 'symlink', target: '\xff' }), 'EILSEQ')
  }))

test('lengths beyond the bounds, and what is no request, end the conversation', async () => {
  const lengths = (head: number, body: number) => {
    const bytes = Buffer.alloc(REMOTE_FRAME_BYTES)
    bytes.writeUInt32LE(head, 0)
    bytes.writeUInt32LE(body, 4)
    return bytes
  }
  for (const bytes of [
    lengths(REMOTE_HEAD_BYTES + 1, 0),
    lengths(0xffffffff, 0),
    lengths(2, REMOTE_BODY_BYTES + 1),
    Buffer.concat([lengths(2, 0), Buffer.from('{{')]),
  ])
    await attacked(async ({ send }) => assert.is(await send(bytes), null))
  const requests: unknown[][] = [
    ['constructor'],
    ['__proto__', 1],
    [{}, 1],
    ['lookup', '1', 'f'],
    ['lookup', -1, 'f'],
    ['lookup', 1, {}],
    ['lookup', 1, '\u0100'],
    ['lookup', 1, 'x'.repeat(5000)],
    ['read', 1, 0, REMOTE_BODY_BYTES + 1],
    ['read', 1, 1e300, 1],
    ['create', 1, 'x', null],
    ['create', 1, 'x', { ...file, mode: 0o170000 }],
    ['create', 1, 'x', { ...file, type: 'hole' }],
    ['setAttributes', 1, { atimeNs: '1e9' }],
    ['setAttributes', 1, { size: -1 }],
  ]
  for (const [call, ...arguments_] of requests)
    await attacked(async ({ ask }) => assert.is(await ask(call, ...arguments_), null, JSON.stringify([call, ...arguments_]).slice(0, 80)))
})

test('a sparse file, a long one and many are held by the limits', () =>
  attacked(async ({ ask, send, volume }) => {
    const ino = (await ask('create', 1, 'big', file)) as number
    assert.is(await send(remoteFrame({ number: 0, call: 'write', arguments: [ino, 2 ** 39] }, Buffer.from('x'))), 'ENOSPC')
    assert.is(await ask('setAttributes', ino, { size: 2 ** 39 }), 'ENOSPC')
    assert.is(await ask('setAttributes', ino, { size: 2 ** 50 }), 'EFBIG')
    let made = 0
    while (typeof (await ask('create', 1, `n${made}`, file)) === 'number' && made < 100) made++
    assert.is(made, 49)
    assert.ok(volume.statSync('/mine/big').size <= 100_000)
  }))

test('a file that is removed while it is open is counted until it is closed', () =>
  attacked(async ({ ask, send }) => {
    const fill = async (name: string) => {
      const ino = (await ask('create', 1, name, file)) as number
      const answer = await send(remoteFrame({ number: 0, call: 'write', arguments: [ino, 0] }, Buffer.alloc(80_000)))
      return { ino, answer }
    }
    const { ino } = await fill('a')
    await ask('retain', ino)
    await ask('unlink', 1, 'a')
    assert.is((await fill('b')).answer, 'ENOSPC')
    await ask('release', ino)
    assert.is((await fill('c')).answer, 80_000)
  }))

test('open files are bounded', () =>
  attacked(async ({ ask }) => {
    const answers: unknown[] = []
    for (let place = 0; place < 6; place++) answers.push(await ask('retain', await ask('create', 1, `o${place}`, file)))
    assert.equal(answers, [null, null, null, null, 'EMFILE', 'EMFILE'])
  }))

test('memory of what is cut off is given back', () =>
  attacked(async ({ ask, send, volume }) => {
    const ino = (await ask('create', 1, 'f2', file)) as number
    await send(remoteFrame({ number: 0, call: 'write', arguments: [ino, 0] }, Buffer.alloc(90_000, 1)))
    await ask('setAttributes', ino, { size: 10 })
    const node = (
      volume as unknown as { _core: { root: { getChild(name: string): { getChild(name: string): { getNode(): { capacity: number } } } } } }
    )._core.root
    assert.ok(node.getChild('mine').getChild('f2').getNode().capacity < 1000)
    assert.is((volume.readFileSync('/mine/f2') as Buffer).length, 10)
  }))

test('directories cannot be stacked deeper than a path is long', () =>
  attacked(
    async ({ ask }) => {
      let directory = 1
      const name = 'd'.repeat(255)
      const folder = { ...file, type: 'directory' }
      for (let depth = 0; depth < 15; depth++) directory = (await ask('create', directory, name, folder)) as number
      const other = (await ask('create', 1, 'other', folder)) as number
      const inner = (await ask('create', other, name, folder)) as number
      await ask('create', inner, name, folder)
      assert.is(await ask('rename', 1, 'other', directory, 'x'), 'ENAMETOOLONG')
    },
    { diskBytes: 100_000, inodes: 100 },
  ))

test('a read-only one is not changed by any call', () =>
  attacked(
    async ({ ask, volume }) => {
      const ino = await ask('lookup', 1, 'f')
      for (const request of [
        ['create', 1, 'x', file],
        ['setAttributes', ino, { size: 0 }],
        ['write', ino, 0],
        ['link', ino, 1, 'x'],
        ['unlink', 1, 'f'],
        ['rename', 1, 'f', 1, 'x'],
        ['rmdir', 1, 'f'],
      ])
        assert.is(await ask(...(request as [unknown])), 'EROFS')
      assert.is(volume.readFileSync('/mine/f', 'utf8'), 'mine')
    },
    undefined,
    true,
  ))

test('whoever asks many things at once leaves this process a turn between any two', () =>
  attacked(async ({ ask, send, volume }) => {
    const request = remoteFrame({ number: 0, call: 'create', arguments: [1, '..', file] })
    let turns = 0
    let running = true
    const turn = (): void => {
      turns++
      if (running) setImmediate(turn)
    }
    turn()
    await send(Buffer.concat(Array.from({ length: 400 }, () => request)))
    const last = ask('create', 1, 'last', file)
    while (!volume.existsSync('/mine/last')) await new Promise(setImmediate)
    running = false
    await last
    assert.ok(turns >= 400, `${turns}`)
  }))

test.run()
