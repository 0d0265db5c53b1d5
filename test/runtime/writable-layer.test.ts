import * as assert from 'uvu/assert'
import type { Change } from '../../src/fs/file-system.js'
import { type TouchedPath, type TouchedPaths, withoutPlaces, writableLayer } from '../../src/runtime/writable-layer.js'
import { literalTree } from '../support/literal-tree.js'
import { suite } from '../support/suite.js'

const test = suite('runtime/writable-layer')

const image = literalTree({
  etc: { entries: { one: { content: '1' }, two: { content: '2' } } },
  var: { entries: { deep: { entries: { file: { content: '' }, other: { content: '' } } } } },
  link: { target: 'etc' },
})
const LETTERS: Readonly<Record<Change['kind'], string>> = { added: 'A', modified: 'C', deleted: 'D' }
const file = (bytes = 0): TouchedPath => ({ isDirectory: false, isOpaque: false, mode: 0o644, owner: { uid: 0, gid: 0 }, bytes })
const folder = (change: Partial<TouchedPath> = {}): TouchedPath => ({ ...file(), isDirectory: true, mode: 0o755, ...change })
const layer = (touched: Readonly<Record<string, TouchedPath | null>>): TouchedPaths => new Map(Object.entries({ '': folder(), ...touched }))
const told = (touched: TouchedPaths) => writableLayer(image, touched).changes.map(({ path, kind }) => `${LETTERS[kind]} /${path}`)

test('what is new is added, what was there is changed, and so is what it is in', () => {
  assert.equal(told(layer({ etc: folder(), 'etc/one': file(), 'etc/new': file() })), ['C /etc', 'A /etc/new', 'C /etc/one'])
  assert.equal(told(layer({ new: folder(), 'new/file': file() })), ['A /new', 'A /new/file'])
})

test('a directory that was only copied up is no change, one with another mode or owner is', () => {
  assert.equal(told(layer({ etc: folder() })), [])
  assert.equal(told(layer({ etc: folder({ mode: 0o700 }) })), ['C /etc'])
  assert.equal(told(layer({ etc: folder({ owner: { uid: 1, gid: 0 } }) })), ['C /etc'])
  assert.equal(told(layer({ etc: folder({ owner: null }) })), [])
})

test('what is removed is named once, and not with all that was in it', () => {
  assert.equal(told(layer({ etc: folder(), 'etc/one': null })), ['C /etc', 'D /etc/one'])
  assert.equal(told(layer({ var: null, 'var/deep': null })), ['D /var'])
  assert.equal(told(layer({ nothing: null })), [])
})

test('what a directory hides that took the place of another is removed, also further down', () => {
  assert.equal(told(layer({ etc: folder({ isOpaque: true }), 'etc/one': file() })), ['C /etc', 'C /etc/one', 'D /etc/two'])
  assert.equal(told(layer({ var: folder({ isOpaque: true }), 'var/deep': folder(), 'var/deep/file': file() })), [
    'C /var',
    'C /var/deep',
    'C /var/deep/file',
    'D /var/deep/other',
  ])
})

test('a file in the place of a directory, and the other way round', () => {
  assert.equal(told(layer({ etc: file() })), ['C /etc', 'D /etc/one', 'D /etc/two'])
  assert.equal(told(layer({ link: folder(), 'link/inside': file() })), ['C /link', 'A /link/inside'])
})

test('places that a wall made to mount on are no change while they are empty', () => {
  const left = (touched: TouchedPaths) => told(withoutPlaces(image, touched, ['/proc', '/etc/hosts', '/made/for/it']))
  assert.equal(left(layer({ proc: folder(), etc: folder(), 'etc/hosts': file() })), [])
  assert.equal(left(layer({ made: folder(), 'made/for': folder(), 'made/for/it': folder() })), [])
  assert.equal(left(layer({ made: folder(), 'made/for': folder(), 'made/for/it': folder(), 'made/mine': file() })), [
    'A /made',
    'A /made/mine',
  ])
  assert.equal(left(layer({ 'etc/hosts': file(3), etc: folder() })), ['C /etc', 'A /etc/hosts'])
})

test('its bytes are those of the files it has', () => {
  assert.is(writableLayer(image, layer({ etc: folder(), 'etc/one': file(10), 'etc/two': null, new: file(5) })).bytes, 15)
})

test.run()
