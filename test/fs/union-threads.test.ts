/** Two threads in one tree. This file is both: the suite, and the other thread. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import * as assert from 'uvu/assert'
import { ErrnoError } from '../../src/fs/errno.js'
import { formatListing, listTree } from '../../src/fs/list.js'
import { type SharedUnion, UnionFs } from '../../src/fs/union-fs.js'
import { contentsOf, inoOf, layerOf, mustFind, rawTar } from '../layer/tar.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const OWNER = { uid: 0, gid: 0 }
const LOWER = rawTar([
  { name: 'd', typeflag: '5' },
  { name: 'd/low', body: 'low' },
  { name: 'x', body: 'below' },
])
const lowers = () => [layerOf(LOWER)]

type Step = readonly ['create' | 'mkdir' | 'unlink' | 'rmdir' | 'append' | 'look', string] | readonly ['rename' | 'link', string, string]

/** Does a step and says what came of it, in words that do not depend on times or numbers. */
function perform(fs: UnionFs, [what, path, other = '']: Step): string {
  const at = (each: string) => {
    const slash = each.lastIndexOf('/')
    const directory = inoOf(fs, each.slice(0, Math.max(slash, 0)))
    if (directory === undefined) throw new ErrnoError('ENOENT')
    return { directory, name: each.slice(slash + 1) }
  }
  const found = (each: string) => {
    const { directory, name } = at(each)
    const ino = fs.lookup(directory, name)
    if (ino === undefined) throw new ErrnoError('ENOENT')
    return ino
  }
  // As one call, since the steps of a walk are calls of their own, which others may come between.
  return fs.atomically(() => {
    try {
      const { directory, name } = at(path)
      if (what === 'create') fs.create(directory, name, { type: 'file', mode: 0o600, ...OWNER })
      else if (what === 'mkdir') fs.create(directory, name, { type: 'directory', mode: 0o700, ...OWNER })
      else if (what === 'unlink') fs.unlink(directory, name)
      else if (what === 'rmdir') fs.rmdir(directory, name)
      else if (what === 'look') {
        const buffer = Buffer.alloc(100)
        return buffer.toString('latin1', 0, fs.read(found(path), buffer, 0))
      } else if (what === 'append') {
        const ino = found(path)
        fs.write(ino, Buffer.from(String(fs.stat(ino).size % 10)), fs.stat(ino).size)
      } else {
        const to = at(other)
        if (what === 'link') fs.link(found(path), to.directory, to.name)
        else fs.rename(directory, name, to.directory, to.name)
      }
      return 'done'
    } catch (error) {
      if (error instanceof ErrnoError) return error.code
      throw error
    }
  })
}

const listing = (fs: UnionFs) => {
  const contents = [...listTree(fs)].map(({ path, type }) => (type === 'file' ? `${path}=${contentsOf(fs, path)}` : path))
  return `${formatListing(listTree(fs)).replace(/mtime=\d+/g, '')}${contents.join('\n')}`
}

interface Round {
  readonly shared: SharedUnion
  readonly gate: SharedArrayBuffer
  readonly steps: readonly Step[]
}

/** Both threads begin at the same moment, as nearly as may be. */
function meet(gate: SharedArrayBuffer): void {
  const words = new Int32Array(gate)
  Atomics.add(words, 0, 1)
  while (Atomics.load(words, 0) < 2);
}

if (!isMainThread && workerData === 'the other thread') {
  parentPort?.on(
    'message',
    (
      message:
        | Round
        | { readonly holds: SharedUnion }
        | { readonly counts: SharedUnion; readonly gate: SharedArrayBuffer; readonly times: number },
    ) => {
      if ('holds' in message) {
        const fs = UnionFs.attach(message.holds, lowers())
        fs.retain(mustFind(fs, 'held'))
        parentPort?.postMessage(fs.attachment)
        // Busy in the tree, until it is ended.
        for (;;) fs.stat(fs.root)
      }
      if ('counts' in message) {
        const fs = UnionFs.attach(message.counts, lowers())
        meet(message.gate)
        for (let time = 0; time < message.times; time++) perform(fs, ['append', 'x'])
        parentPort?.postMessage('done')
        return
      }
      const fs = UnionFs.attach(message.shared, lowers())
      meet(message.gate)
      parentPort?.postMessage(message.steps.map((step) => perform(fs, step)))
    },
  )
} else suiteOfThreads()

function suiteOfThreads(): void {
  const test = suite('fs/union, two threads')
  const startThread = () => new Worker(new URL(import.meta.url), { workerData: 'the other thread' })
  const ask = (worker: Worker, message: unknown) =>
    new Promise<unknown>((resolve, reject) => {
      worker.removeAllListeners().once('message', resolve).once('error', reject)
      worker.postMessage(message)
    })

  const path = fc.constantFrom('x', 'y', 'd', 'd/low', 'd/x', 'd/y')
  const step = fc.oneof(
    fc.tuple(fc.constantFrom('create', 'mkdir', 'unlink', 'rmdir', 'append', 'look'), path),
    fc.tuple(fc.constantFrom('rename', 'link'), path, path),
  ) as fc.Arbitrary<Step>
  const steps = fc.array(step, { minLength: 1, maxLength: 4 })

  test('whatever two threads do at once is what one would have done in some order', async () => {
    const worker = startThread()
    try {
      const property = fc.asyncProperty(steps, steps, async (ours, theirs) => {
        const fs = new UnionFs({ lowers: lowers() })
        const gate = new SharedArrayBuffer(4)
        const answer = ask(worker, { shared: fs.share(), gate, steps: theirs } satisfies Round)
        meet(gate)
        const said = ours.map((each) => perform(fs, each))
        const seen = outcome(said, (await answer) as string[], fs)
        const possible = interleavings(ours.length, theirs.length).map((order) => alone(ours, theirs, order))
        assert.ok(possible.includes(seen), `none of ${possible.length} orders gives\n${seen}\nwhich is that of the first:\n${possible[0]}`)
      })
      await fc.assert(property, { numRuns: 150 })
    } finally {
      await worker.terminate()
    }
  })

  test('what two threads append is all there', async () => {
    const worker = startThread()
    const times = 20_000
    try {
      const fs = new UnionFs({ lowers: lowers() })
      const gate = new SharedArrayBuffer(4)
      const answer = ask(worker, { counts: fs.share(), gate, times })
      meet(gate)
      for (let time = 0; time < times; time++) perform(fs, ['append', 'x'])
      await answer
      assert.is(contentsOf(fs, 'x').length, 'below'.length + 2 * times)
      assert.ok(contentsOf(fs, 'x').endsWith('6789012345678901234'))
    } finally {
      await worker.terminate()
    }
  })

  test('a thread that is ended leaves neither the lock nor what it had open', async () => {
    for (let round = 0; round < 10; round++) {
      const fs = new UnionFs({ lowers: lowers() })
      const held = fs.create(fs.root, 'held', { type: 'file', mode: 0o600, ...OWNER })
      fs.write(held, Buffer.alloc(1000), 0)
      const worker = startThread()
      const attachment = (await ask(worker, { holds: fs.share() })) as number
      fs.unlink(fs.root, 'held')
      assert.is(fs.stat(held).linkCount, 0)
      await UnionFs.exclusively([fs], () => worker.terminate())
      fs.forsake(attachment)
      assert.throws(() => fs.stat(held), /ENOENT/)
      assert.is(fs.usage.diskBytes, 0)
    }
  })

  test('memory that one thread adds is there for the other', async () => {
    const worker = startThread()
    try {
      const fs = new UnionFs({ lowers: lowers() })
      const gate = new SharedArrayBuffer(4)
      const answer = ask(worker, { counts: fs.share(), gate, times: 3000 })
      meet(gate)
      const big = fs.create(fs.root, 'big', { type: 'file', mode: 0o600, ...OWNER })
      for (let page = 0; page < 500; page++) fs.write(big, new Uint8Array(65_536).fill(page), page * 65_536)
      for (let file = 0; file < 3000; file++) fs.create(fs.root, `file-${file}`, { type: 'file', mode: 0o600, ...OWNER })
      await answer
      assert.is(fs.readdir(fs.root).length, 3003)
      const byte = new Uint8Array(1)
      for (let page = 0; page < 500; page++) {
        fs.read(big, byte, page * 65_536)
        assert.is(byte[0], page & 0xff)
      }
      assert.is(contentsOf(fs, 'x').length, 'below'.length + 3000)
    } finally {
      await worker.terminate()
    }
  })

  test.run()
}

function outcome(ours: readonly string[], theirs: readonly string[], fs: UnionFs): string {
  return `${ours.join(' ')}\n${theirs.join(' ')}\n${listing(fs)}`
}

/** What comes of the steps in one order, done by one thread. */
function alone(ours: readonly Step[], theirs: readonly Step[], order: readonly boolean[]): string {
  const fs = new UnionFs({ lowers: lowers() })
  const said: Record<'ours' | 'theirs', string[]> = { ours: [], theirs: [] }
  for (const isOurs of order) {
    const next = isOurs ? ours[said.ours.length] : theirs[said.theirs.length]
    if (next !== undefined) said[isOurs ? 'ours' : 'theirs'].push(perform(fs, next))
  }
  return outcome(said.ours, said.theirs, fs)
}

/** All orders of so many steps of ours and of theirs. */
function interleavings(ours: number, theirs: number): readonly (readonly boolean[])[] {
  if (ours === 0 || theirs === 0) return [[...Array<boolean>(ours).fill(true), ...Array<boolean>(theirs).fill(false)]]
  return [
    ...interleavings(ours - 1, theirs).map((rest) => [true, ...rest]),
    ...interleavings(ours, theirs - 1).map((rest) => [false, ...rest]),
  ]
}
