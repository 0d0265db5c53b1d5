import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { parseImageConfig, parseIndex, parseManifest } from '../../src/oci/document.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { suite } from '../support/suite.js'

const test = suite('oci/media-type (CVE-2021-41190)')
const digest = `sha256:${'a'.repeat(64)}`
const config = { mediaType: MEDIA_TYPE.ociConfig, digest, size: 2 }
const manifest = { schemaVersion: 2, config, layers: [] }
const index = { schemaVersion: 2, manifests: [] }
const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

function assertRefused(code: string, action: () => unknown): void {
  try {
    action()
  } catch (error) {
    assert.is((error as EngineError).code, code, String(error))
    return
  }
  assert.unreachable('not refused')
}

test('a document that is manifest and index at once is refused as either', () => {
  for (const both of [
    { ...manifest, ...index },
    { ...index, layers: [] },
    { ...index, config },
    { ...manifest, manifests: null },
  ]) {
    assertRefused('INVALID_IMAGE', () => parseManifest(bytesOf(both), MEDIA_TYPE.ociManifest))
    assertRefused('INVALID_IMAGE', () => parseIndex(bytesOf(both), MEDIA_TYPE.ociIndex))
  }
})

test('a document whose own type is not its descriptor’s is refused', () => {
  const pairs = [
    [MEDIA_TYPE.ociIndex, MEDIA_TYPE.ociManifest],
    [MEDIA_TYPE.dockerManifest, MEDIA_TYPE.ociManifest],
    [MEDIA_TYPE.ociManifest, MEDIA_TYPE.dockerManifest],
  ] as const
  for (const [own, pointed] of pairs) assertRefused('INVALID_IMAGE', () => parseManifest(bytesOf({ ...manifest, mediaType: own }), pointed))
  assertRefused('INVALID_IMAGE', () => parseIndex(bytesOf({ ...index, mediaType: MEDIA_TYPE.dockerManifestList }), MEDIA_TYPE.ociIndex))
})

test('a descriptor of one kind never has a document read as another', () => {
  assertRefused('UNSUPPORTED_MEDIA_TYPE', () => parseManifest(bytesOf(manifest), MEDIA_TYPE.ociIndex))
  assertRefused('UNSUPPORTED_MEDIA_TYPE', () => parseIndex(bytesOf(index), MEDIA_TYPE.ociManifest))
  assertRefused('UNSUPPORTED_MEDIA_TYPE', () => parseManifest(bytesOf(manifest), 'text/plain'))
})

test('schema 1 members beside schema 2 ones are refused', () => {
  assertRefused('INVALID_IMAGE', () => parseManifest(bytesOf({ ...manifest, fsLayers: [] }), MEDIA_TYPE.ociManifest))
})

test('names of Object.prototype in a document are data like any other', () => {
  const text = `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"__proto__":"x","constructor":"y"}}}`
  const { config: process } = parseImageConfig(new TextEncoder().encode(text))
  assert.equal(Object.keys(process?.Labels ?? {}), ['__proto__', 'constructor'])
  assert.is(Object.getPrototypeOf(process?.Labels), Object.prototype)
  assertRefused('INVALID_IMAGE', () => parseImageConfig(new TextEncoder().encode('{"__proto__":{"os":"linux","architecture":"amd64"}}')))
})

test.run()
