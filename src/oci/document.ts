/**
 * Reads the JSON documents of an image and checks them against the specs. What passes here is trusted by the rest.
 *
 * CVE-2021-41190: a document that could be read as a manifest by one program and as an index by another is refused, and so is
 * one whose own `mediaType` disagrees with the descriptor that led to it.
 */
import { EngineError } from '../errors.js'
import type { Descriptor } from './descriptor.js'
import { type Digest, isDigest } from './digest.js'
import { byteCount, describe, integer, list, type Members, mapOf, object, optional, refuse, string, stringMap, word } from './field.js'
import type { ContainerConfig, History, ImageConfig, Index, Manifest, WasmArtifactConfig } from './image-spec.js'
import { isIndexType, isManifestType, MEDIA_TYPE } from './media-type.js'
import { normalizePlatform, type Platform } from './platform.js'

/** Bytes a manifest, index or config may have; registries allow about as much. */
export const MAXIMUM_DOCUMENT_BYTES = 4 * 1024 * 1024
/** Lists and objects within one another: V8 reads any number of them, and writes only as many as its stack has room for. */
const MAXIMUM_DEPTH = 256
/** Layers a manifest may have; more than any file system can stack. */
export const MAXIMUM_LAYERS = 1000

/** The blob's text as an object. Throws INVALID_IMAGE when it is no JSON object in UTF-8. */
export function parseDocument(bytes: Uint8Array, name: string): Members {
  if (bytes.length > MAXIMUM_DOCUMENT_BYTES) refuse(name, `has ${bytes.length} bytes; at most ${MAXIMUM_DOCUMENT_BYTES} are read`)
  if (isDeeper(bytes, MAXIMUM_DEPTH)) refuse(name, `is nested more than ${MAXIMUM_DEPTH} deep`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new EngineError('INVALID_IMAGE', `${name} is not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  return object(value, name)
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Whether lists and objects of a JSON text stand within one another deeper than that. */
function isDeeper(bytes: Uint8Array, depth: number): boolean {
  let open = 0
  let isQuoted = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (isQuoted) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) isQuoted = false
    } else if (byte === QUOTE) isQuoted = true
    // [ and {, ] and }: their codes differ in one bit.
    else if ((byte | 0x20) === 0x7b && ++open > depth) return true
    else if ((byte | 0x20) === 0x7d) open--
  }
  return false
}

/** Reads an image manifest that a descriptor of `mediaType` led to. */
export function parseManifest(bytes: Uint8Array, mediaType: string): Manifest {
  const members = parseDocument(bytes, 'manifest')
  checkKind(members, 'manifest', mediaType, isManifestType)
  const layers = list(members.layers, 'manifest.layers', descriptor)
  if (layers.length > MAXIMUM_LAYERS) refuse('manifest.layers', `has ${layers.length} entries; at most ${MAXIMUM_LAYERS} are allowed`)
  return {
    schemaVersion: 2,
    ...optional(members, 'mediaType', 'manifest', string),
    ...optional(members, 'artifactType', 'manifest', string),
    config: descriptor(members.config, 'manifest.config'),
    layers,
    ...optional(members, 'subject', 'manifest', descriptor),
    ...optional(members, 'annotations', 'manifest', stringMap),
  }
}

/** Reads an image index (or Docker manifest list) that a descriptor of `mediaType` led to. */
export function parseIndex(bytes: Uint8Array, mediaType: string, name = 'index'): Index {
  const members = parseDocument(bytes, name)
  checkKind(members, name, mediaType, isIndexType)
  return {
    schemaVersion: 2,
    ...optional(members, 'mediaType', name, string),
    ...optional(members, 'artifactType', name, string),
    manifests: list(members.manifests, `${name}.manifests`, descriptor),
    ...optional(members, 'subject', name, descriptor),
    ...optional(members, 'annotations', name, stringMap),
  }
}

/** Reads an image config. Fields that neither spec names are dropped: nothing here may depend on them. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const members = parseDocument(bytes, 'config')
  const rootfs = object(members.rootfs, 'config.rootfs')
  if (rootfs.type !== 'layers') refuse('config.rootfs.type', `must be "layers", not ${describe(rootfs.type)}`)
  return {
    ...platform(members, 'config'),
    ...optional(members, 'created', 'config', time),
    ...optional(members, 'author', 'config', string),
    ...optional(members, 'config', 'config', containerConfig),
    rootfs: { type: 'layers', diff_ids: rootfs.diff_ids === null ? [] : list(rootfs.diff_ids, 'config.rootfs.diff_ids', digest) },
    ...optional(members, 'history', 'config', (value, field) => list(value, field, history)),
  }
}

/** Reads the config of a Wasm OCI artifact. */
export function parseWasmArtifactConfig(bytes: Uint8Array): WasmArtifactConfig {
  const members = parseDocument(bytes, 'wasm config')
  return {
    ...platform(members, 'wasm config'),
    ...optional(members, 'created', 'wasm config', time),
    ...optional(members, 'author', 'wasm config', string),
    layerDigests: list(members.layerDigests, 'wasm config.layerDigests', digest),
  }
}

/** Checks one descriptor; `field` is its place in the document. */
export function descriptor(value: unknown, field: string): Descriptor {
  const members = object(value, field)
  return {
    mediaType: word(members.mediaType, `${field}.mediaType`),
    digest: digest(members.digest, `${field}.digest`),
    size: byteCount(members.size, `${field}.size`),
    ...optional(members, 'platform', field, (found, place) => platform(object(found, place), place)),
    ...optional(members, 'annotations', field, stringMap),
    ...optional(members, 'artifactType', field, string),
  }
}

function checkKind(members: Members, name: string, mediaType: string, isKind: (mediaType: string) => boolean): void {
  if (members.schemaVersion === 1)
    throw new EngineError('UNSUPPORTED_MEDIA_TYPE', `${name}.schemaVersion is 1: Docker's first image format is not read`, {
      hint: 'Convert the image first: skopeo copy --format oci …',
    })
  if (members.schemaVersion !== 2) refuse(`${name}.schemaVersion`, `must be 2, not ${describe(members.schemaVersion)}`)
  if (!isKind(mediaType))
    throw new EngineError('UNSUPPORTED_MEDIA_TYPE', `${name}: documents of type ${mediaType} are not read`, { data: { mediaType } })
  if (Object.hasOwn(members, 'manifests') && (Object.hasOwn(members, 'layers') || Object.hasOwn(members, 'config')))
    refuse(name, 'has both manifests and layers: programs would disagree about what it is (CVE-2021-41190)')
  if (members.fsLayers !== undefined) refuse(name, 'has fsLayers, which belong to another format (CVE-2021-41190)')
  // Docker's documents always say their own type, OCI's may; where it is said it must be the one expected.
  if (members.mediaType !== undefined && members.mediaType !== mediaType)
    refuse(`${name}.mediaType`, `is ${describe(members.mediaType)}, but its descriptor says ${JSON.stringify(mediaType)} (CVE-2021-41190)`)
  if (members.mediaType === undefined && mediaType !== MEDIA_TYPE.ociManifest && mediaType !== MEDIA_TYPE.ociIndex)
    refuse(`${name}.mediaType`, `must be ${JSON.stringify(mediaType)}, not missing`)
}

function digest(value: unknown, field: string): Digest {
  if (isDigest(value)) return value
  const text = string(value, field)
  if (/^sha(384|512):[0-9a-f]+$/.test(text))
    refuse(field, `is ${text.slice(0, 20)}…; only sha256 digests are checked here, so only they are accepted`)
  return refuse(field, `must be sha256: and 64 lower-case hex digits, not ${JSON.stringify(text.slice(0, 90))}`)
}

function platform(members: Members, field: string): Platform {
  const found = {
    os: word(members.os, `${field}.os`),
    architecture: word(members.architecture, `${field}.architecture`),
    ...optional(members, 'variant', field, string),
  }
  for (const [name, value] of Object.entries(found)) if (!/^[\w.-]{0,128}$/.test(value)) refuse(`${field}.${name}`, 'must be a plain word')
  return normalizePlatform(found)
}

function time(value: unknown, field: string): string {
  const text = string(value, field)
  if (!/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(text) || Number.isNaN(Date.parse(text)))
    refuse(field, `must be a time as RFC 3339 has it, not ${JSON.stringify(text.slice(0, 40))}`)
  return text
}

function strings(value: unknown, field: string): readonly string[] {
  return list(value, field, argument)
}

/** A string that can be given to a program: the kernel's strings end at the first NUL. */
function argument(value: unknown, field: string): string {
  const text = string(value, field)
  if (text.includes('\0')) refuse(field, 'must not hold a NUL')
  return text
}

function variable(value: unknown, field: string): string {
  const text = argument(value, field)
  if (!/^[^=]+/.test(text)) refuse(field, `must be NAME=value, not ${JSON.stringify(text.slice(0, 80))}`)
  return text
}

function emptyObjects(value: unknown, field: string): Readonly<Record<string, object>> {
  return mapOf(value, field, (member, place) => {
    object(member, place)
    // Go's is a struct without fields: what stands in it is nothing's.
    return {}
  })
}

function containerConfig(value: unknown, field: string): ContainerConfig {
  const members = object(value, field)
  return {
    ...optional(members, 'User', field, argument),
    ...optional(members, 'ExposedPorts', field, emptyObjects),
    ...optional(members, 'Env', field, (found, place) => list(found, place, variable)),
    ...optional(members, 'Entrypoint', field, strings),
    ...optional(members, 'Cmd', field, strings),
    ...optional(members, 'Volumes', field, emptyObjects),
    ...optional(members, 'WorkingDir', field, argument),
    ...optional(members, 'Labels', field, stringMap),
    ...optional(members, 'StopSignal', field, argument),
    ...optional(members, 'OnBuild', field, strings),
    ...optional(members, 'Shell', field, strings),
    ...optional(members, 'Healthcheck', field, healthcheck),
  }
}

function healthcheck(value: unknown, field: string): Readonly<Record<string, unknown>> {
  const members = object(value, field)
  return {
    ...optional(members, 'Test', field, strings),
    ...optional(members, 'Interval', field, integer),
    ...optional(members, 'Timeout', field, integer),
    ...optional(members, 'StartPeriod', field, integer),
    ...optional(members, 'StartInterval', field, integer),
    ...optional(members, 'Retries', field, integer),
  }
}

function history(value: unknown, field: string): History {
  const members = object(value, field)
  const { empty_layer } = members
  if (empty_layer !== undefined && typeof empty_layer !== 'boolean') refuse(`${field}.empty_layer`, 'must be true or false')
  return {
    ...optional(members, 'created', field, time),
    ...optional(members, 'created_by', field, string),
    ...optional(members, 'author', field, string),
    ...optional(members, 'comment', field, string),
    ...(empty_layer === undefined ? {} : { empty_layer }),
  }
}
