/** What was changed in one tree, made in another that has changed too. */

import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import type { Ino } from '../../src/fs/file-system.js'
import { find } from '../../src/fs/find.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { encodeTreeRecord, type TreeRecord, TreeStreamDecoder, treeStreamStart } from '../../src/launcher/tree-stream.js'
import { packTar } from '../../src/layer/pack.js'
import { treeEntries } from '../../src/layer/pack-tree.js'
import { applyRecords } from '../../src/rootfs/apply-records.js'
import { changeRecords } from '../../src/rootfs/change-records.js'
import { operations, perform, snapshot } from '../fs/random-operations.js'
import { layerOf } from '../layer/tar.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const test = suite('rootfs/change-records')
const OWNER = { uid: 0, gid: 0 }

/** As it is on the other side of a socket. */
function carried(records: Iterable<TreeRecord>): TreeRecord[] {
  const decoder = new TreeStreamDecoder()
  const read = [treeStreamStart(), ...[...records].map(encodeTreeRecord)].flatMap((bytes) => decoder.push(bytes))
  decoder.finish()
  return read
}

/** A union over one layer made of `fill`, and its fork from before `change`. */
function changed(fill: (fs: UnionFs) => void, change: (fs: UnionFs) => void) {
  // Each change has a moment of its own.
  let moment = 0n
  const now = () => ++moment * 1_000_000n
  const base = new UnionFs({ lowers: [], now })
  fill(base)
  const layer = layerOf(Buffer.concat([...packTar(treeEntries(base))]))
  const after = new UnionFs({ lowers: [layer], now })
  const before = after.fork()
  change(after)
  return { layer, after, records: carried(changeRecords(before, after)) }
}

const at = (fs: UnionFs, path: string): Ino => find(fs, path) ?? (assert.unreachable(`no ${path}`) as never)
const make = (fs: UnionFs, path: string, type: 'file' | 'directory' = 'file', text = ''): void => {
  const slash = path.lastIndexOf('/')
  const ino = fs.create(at(fs, path.slice(0, Math.max(slash, 0))), path.slice(slash + 1), { type, mode: 0o755, ...OWNER })
  if (text !== '') fs.write(ino, Buffer.from(text), 0)
}
const words = (records: readonly TreeRecord[]) =>
  records.map((record) =>
    record.record === 'entry' || record.record === 'attributes'
      ? `${record.record} ${record.entry.kind} ${record.entry.path}`
      : record.record === 'remove'
        ? `remove ${record.path}`
        : record.record,
  )

test('random changes of a tree make the same of one like it', () => {
  fc.assert(
    fc.property(operations, operations, (first, then) => {
      const { layer, after, records } = changed(
        (fs) => {
          for (const each of first) perform(fs, each)
        },
        (fs) => {
          for (const each of then) perform(fs, each)
        },
      )
      const other = new UnionFs({ lowers: [layer] })
      applyRecords(other, records)
      assert.equal(snapshot(other), snapshot(after))
    }),
    { numRuns: 200 },
  )
})

test('what was not changed is not told', () => {
  const fill = (fs: UnionFs) => {
    make(fs, 'd', 'directory')
    make(fs, 'd/f', 'file', 'text')
    make(fs, 'd/g', 'file', 'text')
  }
  const told = (change: (fs: UnionFs) => void) => words(changed(fill, change).records)
  assert.equal(
    told(() => {}),
    ['end'],
  )
  // A directory in which something was made has new times only because of that.
  assert.equal(
    told((fs) => make(fs, 'd/new', 'file', 'x')),
    ['entry file d/new', 'data', 'end'],
  )
  assert.equal(
    told((fs) => fs.setAttributes(at(fs, 'd/f'), { mode: 0o600 })),
    ['attributes file d/f', 'end'],
  )
  // The same bytes once more are no change of what it holds.
  assert.equal(
    told((fs) => fs.write(at(fs, 'd/f'), Buffer.from('text'), 0)),
    ['attributes file d/f', 'end'],
  )
  assert.equal(
    told((fs) => fs.unlink(at(fs, 'd'), 'g')),
    ['remove d/g', 'end'],
  )
  assert.equal(
    told((fs) => fs.setAttributes(at(fs, 'd'), { mtimeNs: 5n })),
    ['attributes directory d', 'end'],
  )
})

test('holes stay holes, and a second name a second name', () => {
  const { layer, after, records } = changed(
    (fs) => make(fs, 'f', 'file', 'text'),
    (fs) => {
      make(fs, 'sparse')
      fs.write(at(fs, 'sparse'), Buffer.from('end'), 5 << 20)
      fs.link(at(fs, 'f'), fs.root, 'g')
      fs.link(at(fs, 'sparse'), fs.root, 'too')
    },
  )
  assert.ok(records.reduce((bytes, record) => bytes + (record.record === 'data' ? record.bytes.length : 0), 0) < 1 << 20)
  const other = new UnionFs({ lowers: [layer] })
  applyRecords(other, records)
  assert.is(at(other, 'g'), at(other, 'f'))
  assert.is(at(other, 'too'), at(other, 'sparse'))
  assert.equal(snapshot(other), snapshot(after))
  assert.ok(other.usage.diskBytes < 1 << 20)
})

test('what somebody else did to a tree meanwhile stays where the changes do not go, and is refused by name where they do', () => {
  const { layer, records } = changed(
    (fs) => {
      for (const path of ['a', 'b', 'c']) make(fs, path, 'directory')
      make(fs, 'c/f')
      make(fs, 'b/in')
    },
    (fs) => {
      make(fs, 'a/new')
      fs.unlink(at(fs, 'b'), 'in')
      fs.rmdir(fs.root, 'b')
      fs.setAttributes(at(fs, 'c/f'), { mode: 0o600 })
    },
  )
  const applied = (prepare: (fs: UnionFs) => void): { readonly fs: UnionFs; readonly error: unknown } => {
    const fs = new UnionFs({ lowers: [layer] })
    prepare(fs)
    try {
      applyRecords(fs, records)
      return { fs, error: null }
    } catch (error) {
      return { fs, error: error instanceof EngineError ? `${error.code} ${error.message}` : error }
    }
  }
  const beside = applied((fs) => {
    make(fs, 'a/other')
    make(fs, 'b/more')
    fs.write(at(fs, 'c/f'), Buffer.from('theirs'), 0)
    fs.setAttributes(at(fs, 'a'), { mode: 0o700 })
  })
  assert.is(beside.error, null)
  assert.equal([beside.fs.stat(at(beside.fs, 'a')).mode, beside.fs.stat(at(beside.fs, 'c/f')).size], [0o700, 6])
  assert.ok(find(beside.fs, 'a/other') !== undefined && find(beside.fs, 'a/new') !== undefined)
  assert.is(find(beside.fs, 'b'), undefined)
  const swapped = applied((fs) => {
    fs.rename(fs.root, 'a', fs.root, 'aside')
    fs.create(fs.root, 'a', { type: 'symlink', mode: 0o777, target: 'aside', ...OWNER })
  })
  assert.match(String(swapped.error), /^CONFLICT \/a\/new cannot be written.*ELOOP/)
  assert.equal(swapped.fs.readdir(at(swapped.fs, 'aside')), [])
  const replaced = applied((fs) => {
    fs.unlink(at(fs, 'c'), 'f')
    make(fs, 'c/f', 'directory')
  })
  assert.match(String(replaced.error), /^CONFLICT \/c\/f .*EBUSY/)
})

test('records that no tree makes are refused before they do anything', () => {
  const entry = { kind: 'file', path: '../x', mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n, atimeNs: 0n } as const
  for (const record of [
    { record: 'entry', entry },
    { record: 'entry', entry: { ...entry, path: '' } },
    { record: 'remove', path: 'a/../..' },
    { record: 'remove', path: '' },
    { record: 'data', offset: 0, bytes: Buffer.from('x') },
    { record: 'attributes', sets: ['mode'], entry: { ...entry, path: '.' } },
    { record: 'copy', offset: 0, sourceOffset: 0, length: 1 },
  ] as const) {
    const fs = new UnionFs({ lowers: [] })
    assert.throws(
      () => applyRecords(fs, [record]),
      (error: unknown) => error instanceof EngineError && error.code === 'INVALID_ARCHIVE',
      record.record,
    )
    assert.equal(fs.readdir(fs.root), [])
  }
})

test.run()
