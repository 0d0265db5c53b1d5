/**
 * A registry of ours in this process, which behaves as it is told: rules are asked in turn what to do with a request, and what none of them
 * takes is answered from the repository's content as the distribution-spec says. It listens on loopback alone.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import * as http from 'node:http'
import * as https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Descriptor } from '../../src/oci/descriptor.js'
import { type Digest, digestFromHex } from '../../src/oci/digest.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import type { Estargz } from './estargz.js'

/** A request as rules see it. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
  readonly bytes: Uint8Array
  /** How often this very path was asked for before. */
  readonly before: number
  readonly response: http.ServerResponse
  readonly socket: Socket
}

/** Answers a request and returns true, or leaves it to the next. */
export type Rule = (asked: Asked) => boolean | Promise<boolean>

/** Key and certificate of a server, in PEM. */
export interface ServerIdentity {
  readonly key: string
  readonly cert: string
}

interface Content {
  readonly bytes: Uint8Array
  readonly mediaType: string
}

/** What stands in a repository; what is added has a digest, and a tag where it is given one. */
export class RepositoryContent {
  readonly blobs = new Map<string, Uint8Array>()
  readonly manifests = new Map<string, Content>()

  blob(content: string | Uint8Array | object, mediaType: string): Descriptor {
    const bytes = bytesOf(content)
    const digest = sha256(bytes)
    this.blobs.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }

  manifest(document: object | string | Uint8Array, mediaType: string, ...tags: readonly string[]): Descriptor {
    const bytes = bytesOf(document)
    const digest = sha256(bytes)
    for (const name of [digest, ...tags]) this.manifests.set(name, { bytes, mediaType })
    return { mediaType, digest, size: bytes.length }
  }

  /** An image of one eStargz layer, for WASI unless said. */
  seekable(
    layer: Pick<Estargz, 'blob' | 'diffId' | 'annotations'>,
    { tags = [], config = {} }: Pick<ImageForm, 'tags' | 'config'> = {},
  ): Descriptor {
    const whole = { architecture: 'wasm', os: 'wasi', ...config, rootfs: { type: 'layers', diff_ids: [layer.diffId] } }
    return this.manifest(
      {
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociManifest,
        config: this.blob(whole, MEDIA_TYPE.ociConfig),
        layers: [{ ...this.blob(layer.blob, MEDIA_TYPE.ociLayerGzip), annotations: layer.annotations }],
      },
      MEDIA_TYPE.ociManifest,
      ...tags,
    )
  }

  /** An image of layers as their bytes are (tar, or packed with the diffId given), for linux/amd64 unless said. */
  image(
    layers: readonly Uint8Array[],
    { tags = [], config = {}, layerType = MEDIA_TYPE.ociLayer, diffIds = layers.map(sha256) }: ImageForm = {},
  ): Descriptor {
    const whole = { architecture: hostArchitecture(), os: 'linux', ...config, rootfs: { type: 'layers', diff_ids: diffIds } }
    return this.manifest(
      {
        schemaVersion: 2,
        mediaType: MEDIA_TYPE.ociManifest,
        config: this.blob(whole, MEDIA_TYPE.ociConfig),
        layers: layers.map((layer) => this.blob(layer, layerType)),
      },
      MEDIA_TYPE.ociManifest,
      ...tags,
    )
  }

  index(manifests: readonly object[], ...tags: readonly string[]): Descriptor {
    return this.manifest({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }, MEDIA_TYPE.ociIndex, ...tags)
  }
}

/** Form of an image of {@link RepositoryContent.image}. */
export interface ImageForm {
  readonly tags?: readonly string[]
  readonly config?: object
  readonly layerType?: string
  readonly diffIds?: readonly Digest[]
}

/** This machine's architecture in Go's words. */
export function hostArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}

/** sha256 as a digest. */
export function sha256(content: Uint8Array): Digest {
  return digestFromHex(createHash('sha256').update(content).digest('hex'))
}

function bytesOf(content: string | Uint8Array | object): Uint8Array {
  return Buffer.from(typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content))
}

/** The server. */
export class RegistryServer implements AsyncDisposable {
  /** `METHOD path` of all requests, with what was asked. */
  readonly log: Pick<Asked, 'method' | 'path' | 'query' | 'headers' | 'body'>[] = []
  readonly rules: Rule[] = []
  readonly #repositories = new Map<string, RepositoryContent>()
  readonly #counts = new Map<string, number>()
  readonly #sockets = new Set<Socket>()
  readonly #server: http.Server | https.Server

  private constructor(identity: ServerIdentity | null) {
    const listener = (request: http.IncomingMessage, response: http.ServerResponse) =>
      void this.#answer(request, response).catch((error) => response.destroy(error))
    this.#server = identity === null ? http.createServer(listener) : https.createServer(identity, listener)
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('tlsClientError', () => {})
  }

  /** Begins to listen, on an address of loopback. */
  static async start({
    identity = null,
    address = '127.0.0.1',
  }: {
    identity?: ServerIdentity | null
    address?: string
  } = {}): Promise<RegistryServer> {
    const server = new RegistryServer(identity)
    server.#server.listen(0, address)
    await once(server.#server, 'listening')
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** `127.0.0.1:PORT`. */
  get host(): string {
    const { address, family } = this.#server.address() as AddressInfo
    return `${family === 'IPv6' ? `[${address}]` : address}:${this.port}`
  }

  repository(name: string): RepositoryContent {
    const content = this.#repositories.get(name) ?? new RepositoryContent()
    this.#repositories.set(name, content)
    return content
  }

  /** Paths asked for that match, in order. */
  asked(pattern: RegExp): readonly string[] {
    return this.log.map(({ path }) => path).filter((path) => pattern.test(path))
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '/', 'http://registry.invalid')
    const { headers, method = '' } = request
    const pieces: Uint8Array[] = []
    for await (const piece of request) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    const body = bytes.toString()
    const before = this.#counts.get(path) ?? 0
    this.#counts.set(path, before + 1)
    this.log.push({ method, path, query, headers, body })
    response.on('error', () => {})
    const asked: Asked = { method, path, query, headers, body, bytes, before, response, socket: request.socket }
    for (const rule of this.rules) if (await rule(asked)) return
    if (method === 'POST' || method === 'PUT') this.#take(asked)
    else this.#serve(path, headers, response)
  }

  #serve(path: string, headers: http.IncomingHttpHeaders, response: http.ServerResponse): void {
    const [, name = '', kind = '', last = ''] = /^\/v2\/(.+)\/(manifests|blobs|tags)\/([^/]+)$/.exec(path) ?? []
    const content = this.#repositories.get(name)
    if (path === '/v2/') send(response, 200, {}, '{}')
    else if (content === undefined) sendError(response, 404, 'NAME_UNKNOWN', 'repository name not known to registry')
    else if (kind === 'tags') serveTags(response, name, content)
    else if (kind === 'manifests') serveManifest(response, content.manifests.get(last))
    else serveBlob(response, content.blobs.get(last), headers)
  }

  /** What is pushed: repositories come to be with it, manifests only over blobs that are there. */
  #take({ method, path, query, headers, bytes, response }: Asked): void {
    const [, name = '', kind = '', last = ''] = /^\/v2\/(.+)\/(manifests|blobs\/uploads)\/([^/]*)$/.exec(path) ?? []
    const content = this.repository(name)
    const digest = query.get('digest') ?? query.get('mount') ?? ''
    if (method === 'POST') {
      const mounted = this.#repositories.get(query.get('from') ?? '')?.blobs.get(digest)
      if (mounted !== undefined) content.blobs.set(digest, mounted)
      if (mounted === undefined) send(response, 202, { location: `${path}upload?state=a%20b` })
      else send(response, 201, { 'docker-content-digest': digest })
    } else if (kind === 'manifests') takeManifest(response, content, { bytes, mediaType: String(headers['content-type']) }, last)
    else if (sha256(bytes) !== digest) sendError(response, 400, 'DIGEST_INVALID', 'provided digest did not match uploaded content')
    else {
      content.blobs.set(digest, bytes)
      send(response, 201, { 'docker-content-digest': digest })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

function takeManifest(response: http.ServerResponse, content: RepositoryContent, { bytes, mediaType }: Content, name: string): void {
  const { config, layers = [], manifests = [] } = JSON.parse(Buffer.from(bytes).toString())
  const blobs: Descriptor[] = [...(config === undefined ? [] : [config]), ...layers]
  const isWhole =
    blobs.every((blob) => content.blobs.has(blob.digest) || /foreign|nondistributable/.test(blob.mediaType)) &&
    manifests.every((own: Descriptor) => content.manifests.has(own.digest))
  if (isWhole) {
    content.manifest(bytes, mediaType, name)
    send(response, 201, { 'docker-content-digest': sha256(bytes) })
  } else sendError(response, 404, 'MANIFEST_BLOB_UNKNOWN', 'blob unknown to registry')
}

function serveTags(response: http.ServerResponse, name: string, { manifests }: RepositoryContent): void {
  const tags = [...manifests.keys()].filter((key) => !key.startsWith('sha256:'))
  send(response, 200, { 'content-type': 'application/json' }, JSON.stringify({ name, tags }))
}

function serveManifest(response: http.ServerResponse, found: Content | undefined): void {
  if (found === undefined) sendError(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown')
  else send(response, 200, { 'content-type': found.mediaType, 'docker-content-digest': sha256(found.bytes) }, found.bytes)
}

function serveBlob(response: http.ServerResponse, blob: Uint8Array | undefined, { range = '' }: http.IncomingHttpHeaders): void {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? []
  if (blob === undefined) sendError(response, 404, 'BLOB_UNKNOWN', 'blob unknown to registry')
  else if (first === undefined) send(response, 200, {}, blob)
  else {
    const end = last === '' ? blob.length : Math.min(Number(last) + 1, blob.length)
    send(response, 206, { 'content-range': `bytes ${first}-${end - 1}/${blob.length}` }, blob.subarray(Number(first), end))
  }
}

/** Sends a whole answer. */
export function send(
  response: http.ServerResponse,
  status: number,
  headers: http.OutgoingHttpHeaders,
  body: string | Uint8Array = '',
): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers })
  response.end(body)
}

/** Sends an error as the distribution-spec has them. */
export function sendError(
  response: http.ServerResponse,
  status: number,
  code: string,
  message: string,
  headers: http.OutgoingHttpHeaders = {},
): void {
  send(response, status, { 'content-type': 'application/json', ...headers }, JSON.stringify({ errors: [{ code, message }] }))
}
