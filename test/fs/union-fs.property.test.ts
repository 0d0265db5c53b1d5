import * as assert from 'uvu/assert'
import { listTree } from '../../src/fs/list.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { packTar } from '../../src/layer/pack.js'
import { changedEntries, treeEntries } from '../../src/layer/pack-tree.js'
import { memfsFileSystem } from '../contract/memfs-file-system.js'
import { layerOf } from '../layer/tar.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'
import { operations, perform, snapshot } from './random-operations.js'

const test = suite('fs/union-fs, random operations')

test('a union without layers does what memfs does', () => {
  fc.assert(
    fc.property(operations, (all) => {
      const union = new UnionFs({ lowers: [] })
      const oracle = memfsFileSystem()
      // memfs follows the symlink that it is told to rename.
      const options = { symlinksMove: false }
      for (const each of all) assert.is(perform(union, each, options), perform(oracle, each, options), JSON.stringify(each))
      assert.equal(snapshot(union), snapshot(oracle))
    }),
    { numRuns: 100 },
  )
})

test('a union over packed layers does what a tree made of the same operations does', () => {
  fc.assert(
    fc.property(fc.array(operations, { minLength: 1, maxLength: 4 }), (stages) => {
      const plain = new UnionFs({ lowers: [] })
      let union = new UnionFs({ lowers: [] })
      for (const stage of stages) {
        for (const each of stage) assert.is(perform(union, each), perform(plain, each), JSON.stringify(each))
        // What was written becomes one more layer.
        const layer = layerOf(Buffer.concat([...packTar(changedEntries(union))]))
        const before = snapshot(union)
        union = new UnionFs({ lowers: [...union.lowers, layer] })
        assert.equal(withoutLinks(snapshot(union)), withoutLinks(before))
      }
      assert.equal(withoutLinks(snapshot(union)), withoutLinks(snapshot(plain)))
    }),
    { numRuns: 100 },
  )
})

test('a union over packed layers does what memfs does, however many layers its past has become', () => {
  fc.assert(
    fc.property(fc.array(operations, { minLength: 2, maxLength: 4 }), (stages) => {
      const oracle = memfsFileSystem()
      const options = { symlinksMove: false }
      let union = new UnionFs({ lowers: [] })
      for (const stage of stages) {
        for (const each of stage) assert.is(perform(union, each, options), perform(oracle, each, options), JSON.stringify(each))
        assert.equal(withoutLinks(snapshot(union)), withoutLinks(snapshot(oracle)))
        const layer = layerOf(Buffer.concat([...packTar(changedEntries(union))]))
        union = new UnionFs({ lowers: [...union.lowers, layer] })
      }
      // A fork goes on from there, and leaves what it was made of alone.
      const fork = union.fork()
      for (const each of stages[0] ?? []) assert.is(perform(fork, each, options), perform(oracle, each, options), JSON.stringify(each))
      assert.equal(withoutLinks(snapshot(fork)), withoutLinks(snapshot(oracle)))
    }),
    { numRuns: 60 },
  )
})

test('a hard link of the layers that moved with its directory is still one when the changes are a layer', () => {
  const base = new UnionFs({ lowers: [] })
  const [owner, root] = [{ uid: 0, gid: 0 }, base.root]
  const directory = base.create(root, 'b', { type: 'directory', mode: 0o755, ...owner })
  base.link(base.create(root, 'f', { type: 'file', mode: 0o644, ...owner }), directory, 'd')
  const layer = layerOf(Buffer.concat([...packTar(treeEntries(base))]))
  const union = new UnionFs({ lowers: [layer] })
  union.rename(union.root, 'b', union.root, 'c')
  const next = new UnionFs({ lowers: [layer, layerOf(Buffer.concat([...packTar(changedEntries(union))]))] })
  const moved = next.lookup(next.root, 'c')
  assert.type(moved, 'number')
  assert.is(next.lookup(moved as number, 'd'), next.lookup(next.root, 'f'))
})

test('changes name exactly the paths that differ from the layers', () => {
  fc.assert(
    fc.property(operations, operations, (before, after) => {
      const base = new UnionFs({ lowers: [] })
      for (const each of before) perform(base, each)
      const layer = layerOf(Buffer.concat([...packTar(treeEntries(base))]))
      const union = new UnionFs({ lowers: [layer] })
      for (const each of after) perform(union, each)
      const old = new Map([...listTree(layer)].map((each) => [each.path, each]))
      const now = new Map([...listTree(union)].map((each) => [each.path, each]))
      const reported = new Map([...union.changes()].map(({ path, kind }) => [path, kind]))
      for (const [path, kind] of reported) {
        const expected = !now.has(path) ? 'deleted' : old.has(path) ? 'modified' : 'added'
        assert.is(kind, expected, path)
      }
      for (const path of now.keys()) if (!old.has(path)) assert.is(reported.get(path), 'added', path)
      for (const path of old.keys()) {
        // A directory that went is one deletion.
        const gone = now.has(path)
          ? null
          : path.split('/').some((_, index, parts) => reported.get(parts.slice(0, index + 1).join('/')) === 'deleted')
        const hidden = path.split('/').some((_, index, parts) => {
          const parent = now.get(parts.slice(0, index).join('/'))
          return parent !== undefined && parent.type !== 'directory'
        })
        if (gone !== null && !hidden) assert.ok(gone, `${path} went unnoticed`)
      }
    }),
    { numRuns: 150 },
  )
})

// A layer's file counts the names of its layer, also those that are hidden, so counts are compared only within one tree.
function withoutLinks(lines: readonly string[]): readonly string[] {
  return lines.map((line) => line.replace(/^(\S* file \S*) \d+ /, '$1 '))
}

test.run()
