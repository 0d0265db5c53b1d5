import * as assert from 'uvu/assert'
import { DirectoryListing } from '../../src/wasm/preview1/directory-listing.js'
import { DIRENT_SIZE } from '../../src/wasm/preview1/layouts.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/preview1/directory-listing')

const NAMES = ['.', '..', 'file', '\xff\xfe', 'x'.repeat(255)]

function listingOf(names: readonly string[]): DirectoryListing {
  const listing = new DirectoryListing()
  for (const [place, name] of names.entries()) listing.add(name, 2 ** 33 + place, 4)
  return listing
}

/** All of it, in pieces of `length` bytes, of which only whole entries are believed. */
function readInPieces(listing: DirectoryListing, length: number) {
  const found: { name: string; ino: number; filetype: number }[] = []
  const piece = Buffer.alloc(length)
  for (let cookie = 0; ; ) {
    const used = listing.copyTo(piece, cookie)
    let whole = 0
    for (let at = 0; at + DIRENT_SIZE <= used; whole++) {
      const end = at + DIRENT_SIZE + piece.readUInt32LE(at + 16)
      if (end > used) break
      const name = piece.toString('latin1', at + DIRENT_SIZE, end)
      found.push({ name, ino: Number(piece.readBigUInt64LE(at + 8)), filetype: piece[at + 20] ?? 0 })
      cookie = Number(piece.readBigUInt64LE(at))
      at = end
    }
    if (used < length || whole === 0) return found
    assert.ok(found.length <= NAMES.length, 'a cookie leads back')
  }
}

test('a listing that is read in pieces is whole, whatever their length', () => {
  const listing = listingOf(NAMES)
  const expected = NAMES.map((name, place) => ({ name, ino: 2 ** 33 + place, filetype: 4 }))
  for (const length of [279, 280, 300, 4096]) assert.equal(readInPieces(listing, length), expected, `pieces of ${length}`)
})

test('an entry that does not fit is cut', () => {
  const listing = listingOf(['name'])
  const whole = Buffer.alloc(DIRENT_SIZE + 4)
  assert.is(listing.copyTo(whole, 0), whole.length)
  for (const length of [0, 1, DIRENT_SIZE, DIRENT_SIZE + 3]) {
    const cut = Buffer.alloc(length)
    assert.is(listing.copyTo(cut, 0), length)
    assert.equal(cut, whole.subarray(0, length))
  }
})

test('nothing is behind the last entry, nor behind any number that a guest makes up', () => {
  const listing = listingOf(NAMES)
  for (const first of [NAMES.length, NAMES.length + 1, 2 ** 32, Number.MAX_SAFE_INTEGER])
    assert.is(listing.copyTo(Buffer.alloc(99), first), 0)
})

test('a listing grows to any number of names, given as strings or as bytes', () => {
  const listing = new DirectoryListing()
  const bytes = Buffer.from('....name....')
  for (let place = 0; place < 5000; place++) {
    if (place % 2 === 0) listing.add(`name`, place, 3)
    else listing.addBytes(bytes, 4, 4, place, 3)
  }
  assert.is(listing.count, 5000)
  assert.equal(
    [...listing],
    Array.from({ length: 5000 }, (_, ino) => ({ name: 'name', ino, filetype: 3 })),
  )
})

test.run()
