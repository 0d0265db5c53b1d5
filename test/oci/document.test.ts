import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { hostPlatform } from '../../src/image/platform-select.js'
import { MAXIMUM_DOCUMENT_BYTES, parseImageConfig, parseIndex, parseManifest } from '../../src/oci/document.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { formatPlatform, normalizePlatform, parsePlatform, platformMatches } from '../../src/oci/platform.js'
import { suite } from '../support/suite.js'

const test = suite('oci/document')
const digest = `sha256:${'a'.repeat(64)}`
const config = { mediaType: MEDIA_TYPE.ociConfig, digest, size: 2 }
const layer = { mediaType: MEDIA_TYPE.ociLayerGzip, digest, size: 3 }
const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPE.ociManifest, config, layers: [layer] }
const imageConfig = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest] } }

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const readManifest = (value: unknown, mediaType: string = MEDIA_TYPE.ociManifest) => parseManifest(bytesOf(value), mediaType)

function assertRefused(code: string, message: RegExp, action: () => unknown): void {
  try {
    action()
  } catch (error) {
    assert.is((error as EngineError).code, code, String(error))
    assert.match((error as Error).message, message)
    return
  }
  assert.unreachable(`not refused: ${message}`)
}

test('an OCI manifest is read as it is', () => {
  assert.equal(readManifest(manifest), manifest)
})

test('a Docker schema 2 manifest is read, and must say its type', () => {
  const docker = { ...manifest, mediaType: MEDIA_TYPE.dockerManifest }
  assert.equal(readManifest(docker, MEDIA_TYPE.dockerManifest), docker)
  const { mediaType: _, ...silent } = docker
  assertRefused('INVALID_IMAGE', /^manifest\.mediaType/, () => readManifest(silent, MEDIA_TYPE.dockerManifest))
})

test('the error names the field', () => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [{ ...manifest, schemaVersion: 3 }, /^manifest\.schemaVersion must be 2, not 3/],
    [{ ...manifest, layers: {} }, /^manifest\.layers must be a list, not an object/],
    [{ ...manifest, layers: [layer, { ...layer, size: -1 }] }, /^manifest\.layers\[1\]\.size/],
    [{ ...manifest, layers: [{ ...layer, size: 1.5 }] }, /^manifest\.layers\[0\]\.size/],
    [{ ...manifest, layers: [{ ...layer, size: 2 ** 60 }] }, /^manifest\.layers\[0\]\.size/],
    [{ ...manifest, layers: [{ ...layer, digest: 'sha256:abc' }] }, /^manifest\.layers\[0\]\.digest/],
    [{ ...manifest, layers: [{ ...layer, digest: `sha256:../../${'a'.repeat(58)}` }] }, /^manifest\.layers\[0\]\.digest/],
    [{ ...manifest, layers: [{ ...layer, digest: `sha512:${'a'.repeat(128)}` }] }, /only sha256/],
    [{ ...manifest, config: undefined }, /^manifest\.config must be an object, not missing/],
    [{ ...manifest, config: { ...config, mediaType: '' } }, /^manifest\.config\.mediaType must not be empty/],
    [{ ...manifest, annotations: { a: 1 } }, /^manifest\.annotations\.a must be a string, not 1/],
    [[manifest], /^manifest must be an object, not a list/],
    [null, /^manifest must be an object, not null/],
  ]
  for (const [value, message] of wrong) assertRefused('INVALID_IMAGE', message, () => readManifest(value))
  assertRefused('INVALID_IMAGE', /^index\.manifests\[0\]\.platform\.os/, () =>
    parseIndex(bytesOf({ schemaVersion: 2, manifests: [{ ...config, platform: { architecture: 'amd64' } }] }), MEDIA_TYPE.ociIndex),
  )
})

test('bytes that are no JSON in UTF-8, and more bytes than a document may have, are refused', () => {
  assertRefused('INVALID_IMAGE', /^manifest is not JSON/, () => parseManifest(new TextEncoder().encode('{"'), MEDIA_TYPE.ociManifest))
  assertRefused('INVALID_IMAGE', /^manifest is not JSON/, () => parseManifest(new Uint8Array([0x22, 0xff, 0x22]), MEDIA_TYPE.ociManifest))
  assertRefused('INVALID_IMAGE', /at most/, () => parseManifest(new Uint8Array(MAXIMUM_DOCUMENT_BYTES + 1), MEDIA_TYPE.ociManifest))
})

test('Docker schema 1 is refused with the way out', () => {
  assertRefused('UNSUPPORTED_MEDIA_TYPE', /schemaVersion is 1/, () => readManifest({ schemaVersion: 1, fsLayers: [] }))
})

test('an image config keeps what the specs name, and takes null lists as absent', () => {
  const full = {
    ...imageConfig,
    created: '2024-01-02T03:04:05.678901234Z',
    config: { Env: ['PATH=/bin'], Entrypoint: null, Cmd: ['sh'], Volumes: { '/data': {} }, Labels: { a: 'b' }, WorkingDir: '/' },
    history: [{ created_by: 'x', empty_layer: true }],
    container_config: { Cmd: ['dropped'] },
  }
  const { config: process, ...rest } = parseImageConfig(bytesOf(full))
  assert.equal(process, { Env: ['PATH=/bin'], Cmd: ['sh'], Volumes: { '/data': {} }, Labels: { a: 'b' }, WorkingDir: '/' })
  assert.not('container_config' in rest)
  assert.equal(rest.history, full.history)
})

test('an image config with what no container can be given is refused', () => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ rootfs: { type: 'other', diff_ids: [] } }, /^config\.rootfs\.type/],
    [{ rootfs: { type: 'layers', diff_ids: ['x'] } }, /^config\.rootfs\.diff_ids\[0\]/],
    [{ os: '' }, /^config\.os/],
    [{ os: 'linux/../..' }, /^config\.os/],
    [{ created: 'yesterday' }, /^config\.created/],
    [{ config: { Env: ['=x'] } }, /^config\.config\.Env\[0\]/],
    [{ config: { Cmd: ['a\0b'] } }, /^config\.config\.Cmd\[0\] must not hold a NUL/],
    [{ config: { Cmd: 'sh' } }, /^config\.config\.Cmd must be a list/],
    [{ config: { Volumes: ['/a'] } }, /^config\.config\.Volumes must be an object/],
  ]
  for (const [change, message] of wrong)
    assertRefused('INVALID_IMAGE', message, () => parseImageConfig(bytesOf({ ...imageConfig, ...change })))
})

test('documents nested deeper than a stack, and names of megabytes, are refused in a few words', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const read = (text: string, parse: (bytes: Uint8Array) => unknown, message: RegExp) => {
    try {
      parse(new TextEncoder().encode(text))
      assert.unreachable(`${message} was not refused`)
    } catch (error) {
      assert.is((error as EngineError).code, 'INVALID_IMAGE', String(error).slice(0, 300))
      assert.match((error as EngineError).message, message)
      assert.ok((error as EngineError).message.length < 400)
      assert.ok(JSON.stringify((error as EngineError).data).length < 400)
    }
  }
  const manifest = (bytes: Uint8Array) => parseManifest(bytes, MEDIA_TYPE.ociManifest)
  read(deep, manifest, /^manifest is nested more than 256 deep/)
  read(`{"schemaVersion":${deep}}`, manifest, /nested/)
  read(`{"rootfs":{"type":${deep}}}`, parseImageConfig, /nested/)
  const braces = '{"a":'.repeat(100_000)
  read(braces, manifest, /nested/)
  // What is in a string is not counted, and what is not too deep is told in a word.
  read(`{"schemaVersion":"${'[{'.repeat(500)}\\"${'['.repeat(500)}"}`, manifest, /must be 2, not/)
  read(`{"schemaVersion":${'['.repeat(255)}${']'.repeat(255)}}`, manifest, /must be 2, not a list/)
  const long = 'x'.repeat(3 << 20)
  const config = (members: string) => `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]},"config":{${members}}}`
  read(config(`"Labels":{"${long}":1}`), parseImageConfig, /must be a string, not 1/)
  // What has a place for anything keeps nothing of it.
  const { config: kept } = parseImageConfig(new TextEncoder().encode(config('"Volumes":{"/v":{"a":[]}},"Healthcheck":{"Other":[]}')))
  assert.equal(kept, { Volumes: { '/v': {} }, Healthcheck: {} })
})

test('a health check says words and whole numbers, or is refused by the place', () => {
  const parse = (Healthcheck: string) =>
    parseImageConfig(
      new TextEncoder().encode(
        `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]},"config":{"Healthcheck":${Healthcheck}}}`,
      ),
    ).config?.Healthcheck
  const check = { Test: ['CMD', 'true'], Interval: 1e9, Timeout: 2e9, StartPeriod: 0, StartInterval: 5, Retries: 3 }
  assert.equal(parse(JSON.stringify(check)), check)
  for (const wrong of [
    '[]',
    '{"Test":"true"}',
    '{"Test":[1]}',
    '{"Interval":"1s"}',
    '{"Interval":1e999}',
    '{"Retries":0.5}',
    '{"Timeout":[]}',
  ])
    assertRefused('INVALID_IMAGE', /^config\.config\.Healthcheck/, () => parse(wrong))
})

test('a platform named like something that every object has is only a platform that nobody offers', () => {
  for (const architecture of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    assert.equal(normalizePlatform({ os: 'linux', architecture }), { os: 'linux', architecture: architecture.toLowerCase() })
    assert.is(platformMatches({ os: 'linux', architecture: 'amd64' }, { os: 'linux', architecture }), false)
    assert.is(hostPlatform(architecture).architecture, architecture.toLowerCase())
  }
  assert.is(parsePlatform('linux/constructor').architecture, 'constructor')
})

test('platforms are compared in Go’s words, whatever people type', () => {
  assert.is(formatPlatform(parsePlatform('Linux/x86_64')), 'linux/amd64')
  assert.is(formatPlatform(parsePlatform('linux/aarch64')), 'linux/arm64')
  assert.is(formatPlatform(parsePlatform('linux/arm64/v8')), 'linux/arm64')
  assert.is(formatPlatform(parsePlatform('linux/arm/7')), 'linux/arm/v7')
  assert.is(formatPlatform(parsePlatform('wasip1/wasm')), 'wasi/wasm')
  assert.is(formatPlatform(normalizePlatform({ os: 'linux', architecture: 'armhf' })), 'linux/arm/v7')
  assert.ok(platformMatches({ os: 'linux', architecture: 'arm' }, { os: 'linux', architecture: 'arm', variant: 'v6' }))
  assert.not(platformMatches({ os: 'linux', architecture: 'arm', variant: 'v7' }, { os: 'linux', architecture: 'arm', variant: 'v6' }))
  for (const text of ['', 'linux', 'linux/', 'a/b/c/d', 'linux/am d64', '../x'])
    assertRefused('INVALID_ARGUMENT', /is not a platform/, () => parsePlatform(text))
})

test.run()
