/**
 * Archives that are strange and mean no harm: what old, foreign and broken writers leave. Each loads as GNU tar and umoci would load it, or is
 * refused by name where they do not agree with each other.
 */
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { indexTar } from '../../src/layer/index.js'
import { bytesSource } from '../../src/layer/source.js'
import { fc } from '../support/properties.js'
import { UMOCI } from '../support/requirements.js'
import { suite } from '../support/suite.js'
import { STRANGE } from './strange-archives.js'
import { layerOf, rawTar, withFolder } from './tar.js'
import { GNU_TAR, gnuTarRoot, umociRoot, type WitnessedPath, witnessedHost, witnessedTree } from './unpackers.js'

const test = suite('layer/strange archives')

function held(tar: Uint8Array): string[] {
  const layer = layerOf(tar)
  const lines: string[] = []
  const visit = (directory: number, below: string): void => {
    for (const { name, ino, type } of layer.readdir(directory)) {
      const buffer = Buffer.alloc(layer.stat(ino).size)
      if (type === 'file') layer.read(ino, buffer, 0)
      const what = type === 'symlink' ? layer.readlink(ino) : type === 'file' ? buffer.toString('latin1') : ''
      lines.push(`${below}${name} ${type} ${what}`.trimEnd())
      if (type === 'directory') visit(ino, `${below}${name}/`)
    }
  }
  visit(layer.root, '')
  return lines
}

const lines = (paths: readonly WitnessedPath[]) => paths.filter(({ path }) => path !== '').map(({ line }) => line)

for (const [name, { tar, holds, as }] of Object.entries(STRANGE)) {
  test(`loads: ${name}`, () => {
    const found = held(tar)
    for (const line of holds) assert.ok(found.includes(line), `${JSON.stringify(line)} is not in ${JSON.stringify(found)}`)
    const files = found.filter((line) => !/ directory$/.test(line))
    assert.is(files.length, holds.filter((line) => !/ directory$/.test(line)).length, JSON.stringify(found))
  })
  if (as.includes('gnu'))
    test.needs(GNU_TAR)(`as GNU tar does: ${name}`, () =>
      withFolder((folder) => {
        const root = gnuTarRoot(join(folder, 'gnu'), tar)
        assert.ok(root !== null, 'GNU tar does not take it')
        assert.equal(lines(witnessedTree(layerOf(tar))), lines(witnessedHost(root as string)))
      }),
    )
  if (as.includes('umoci'))
    test.needs(UMOCI)(`as umoci does: ${name}`, () =>
      withFolder((folder) => {
        assert.equal(lines(witnessedTree(layerOf(tar))), lines(witnessedHost(umociRoot(join(folder, 'umoci'), [tar]))))
      }),
    )
}

const REFUSED: Readonly<Record<string, readonly [tar: Uint8Array, pattern: RegExp]>> = {
  "an incremental dump's directory": [rawTar([{ name: 'd', typeflag: 'D', body: 'Yf\0' }]), /unknown entry type "D"/],
  "an archive's second volume": [rawTar([{ name: 'f', typeflag: 'M', body: 'rest' }]), /unknown entry type "M"/],
  "Solaris' own extended header": [rawTar([{ name: 'x', typeflag: 'X', body: '9 a=bcd\n' }]), /broken pax record/],
  'a sparse format that is to come': [
    rawTar([{ name: 's', body: '0\n', pax: { 'GNU.sparse.major': '2', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '5' } }]),
    /unknown sparse format 2\.0/,
  ],
  'a hard link that brings its contents along, as cpio writes it': [
    rawTar([
      { name: 'a', body: 'x' },
      { name: 'b', typeflag: '1', link: 'a', body: 'x' },
    ]),
    /checksum/,
  ],
  'garbage where an end marker should be': [
    Buffer.concat([rawTar([{ name: 'a', body: 'x' }], { end: false }), Buffer.from('garbage'.repeat(300))]),
    /checksum/,
  ],
}

for (const [name, [tar, pattern]] of Object.entries(REFUSED))
  test(`is refused by name: ${name}`, () => {
    assert.throws(
      () => indexTar(bytesSource(tar)),
      (error: unknown) => error instanceof EngineError && error.code === 'INVALID_ARCHIVE' && pattern.test(error.message),
    )
  })

test('an archive of any kind, cut off at any byte, is refused by name or is the first entries of the whole', () => {
  for (const [name, { tar }] of Object.entries(STRANGE)) {
    const whole = held(tar)
    // Every byte of what holds entries; of the zeros behind them the blocks.
    const end = tar.findLastIndex((byte) => byte !== 0) + 2
    for (let length = 0; length < tar.length; length += length < end ? 1 : 511) {
      let found: readonly string[]
      try {
        found = held(tar.subarray(0, length))
      } catch (error) {
        assert.instance(error, EngineError, `${name}, ${length} bytes: ${(error as Error).stack}`)
        assert.is((error as EngineError).code, 'INVALID_ARCHIVE')
        continue
      }
      for (const line of found) assert.ok(whole.includes(line), `${name}, ${length} bytes: ${JSON.stringify(line)}`)
    }
  }
})

test('an archive with any one byte changed is refused by name or loads', () => {
  const tars = Object.values(STRANGE).map(({ tar }) => tar)
  fc.assert(
    fc.property(fc.constantFrom(...tars), fc.nat(), fc.integer({ min: 0, max: 255 }), (tar, place, value) => {
      if (tar.length === 0) return
      const changed = Uint8Array.from(tar)
      changed[place % tar.length] = value
      try {
        held(changed)
      } catch (error) {
        assert.instance(error, EngineError)
      }
    }),
    { numRuns: 2000 },
  )
})

test.run()
