/** Files that change while they are read still make a tar that is whole. */
import * as assert from 'uvu/assert'
import type { TreeEntry, TreeRecord } from '../../src/launcher/tree-stream.js'
import { readEntries } from '../../src/layer/entry.js'
import { bytesSource } from '../../src/layer/source.js'
import { recordTar } from '../../src/rootfs/record-tar.js'
import { suite } from '../support/suite.js'

const test = suite('rootfs/record-tar')

const file = (path: string, size: number): TreeRecord => {
  const entry: TreeEntry = { kind: 'file', path, mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, atimeNs: 0n, size }
  return { record: 'entry', entry }
}
const data = (offset: number, text: string): TreeRecord => ({ record: 'data', offset, bytes: Buffer.from(text) })
const segments = (...list: readonly (readonly [position: number, length: number])[]): TreeRecord => ({
  record: 'segments',
  segments: list.map(([position, length]) => ({ position, length })),
})

/** What a tar of these records holds: each file whole, its holes as zeros. */
async function contentsOf(...records: readonly TreeRecord[]): Promise<Readonly<Record<string, string>>> {
  async function* all() {
    yield* records
    yield { record: 'end' } as const
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of recordTar(all(), 'x')) chunks.push(Uint8Array.from(chunk))
  const tar = Buffer.concat(chunks)
  assert.is(tar.length % 512, 0)
  const found: Record<string, string> = {}
  for (const entry of readEntries(bytesSource(tar), { fileBytes: 1 << 30 })) {
    const bytes = Buffer.alloc(entry.size)
    for (const { position, offset, length } of entry.segments) tar.copy(bytes, position, offset, offset + length)
    found[entry.name] = bytes.toString('latin1')
  }
  return found
}

test('a file is what its records say, in pieces too', async () => {
  assert.equal(await contentsOf(file('a', 6), data(0, 'abc'), data(3, 'def'), file('b', 0)), { 'x/a': 'abcdef', 'x/b': '' })
})

test('a file that shrinks while it is read ends in zeros, and the next one is whole', async () => {
  assert.equal(await contentsOf(file('a', 600), data(0, 'abc'), file('b', 1), data(0, 'b')), {
    'x/a': `abc${'\0'.repeat(597)}`,
    'x/b': 'b',
  })
})

test('what a file gains while it is read is left out', async () => {
  assert.equal(await contentsOf(file('a', 3), data(0, 'abcdef'), data(6, 'ghi'), file('b', 1), data(0, 'b')), { 'x/a': 'abc', 'x/b': 'b' })
})

test('bytes that come where a hole was said to be are left out, and those that do not come are zeros', async () => {
  const size = 3 << 20
  const [read] = Object.values(
    await contentsOf(file('a', size), segments([1 << 20, 4], [2 << 20, 4]), data(0, 'early'), data(1 << 20, 'ab'), data(2 << 20, 'wxyz!!')),
  )
  const expected = Buffer.alloc(size)
  expected.write('ab', 1 << 20)
  expected.write('wxyz!!', 2 << 20)
  assert.ok(read === expected.toString('latin1'))
})

test('a hole at the end, and a file that is nothing but one', async () => {
  const found = await contentsOf(file('a', 1 << 20), segments([0, 2]), data(0, 'ab'), file('b', 1 << 20), segments())
  assert.equal([found['x/a']?.length, found['x/a']?.slice(0, 3), found['x/b']?.length], [1 << 20, 'ab\0', 1 << 20])
})

test.run()
