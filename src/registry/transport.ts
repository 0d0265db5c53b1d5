/**
 * One request over HTTP(S), through a proxy where the environment names one. No redirect is followed here and no answer is judged.
 *
 * Node's own `http` and `https`, and not its `fetch`: that one takes neither a CA of one host nor a proxy without the package undici, which
 * weighs more than all of this and is built in already.
 */
import * as http from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import * as tls from 'node:tls'
import { EngineError } from '../errors.js'
import type { Trust } from './certificates.js'
import { ConnectionError, connectionErrorOf } from './connection-error.js'
import { Deadline } from './deadline.js'
import { LEAST_BYTES_PER_SECOND, type Patience } from './patience.js'
import { bareHost, proxyFor } from './proxy.js'
import { isStreamed, type RequestBody, sendBody } from './request-body.js'

/** What is asked. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: RequestBody
  readonly signal?: AbortSignal | undefined
}

/** The head of an answer, and its body as it comes. Whoever does not read the body to its end calls {@link discard}. */
export interface HttpResponse {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  /** Rejects with ConnectionError when it is cut off or stalls. To be read once. */
  body(): AsyncGenerator<Uint8Array>
  discard(): void
}

/** What {@link Transport} is made with. */
export interface TransportParts {
  readonly environment: NodeJS.ProcessEnv
  readonly patience: Patience
  /** Whom to trust as `host` or `host:port`. */
  readonly trust: (host: string) => Promise<Trust>
}

/** Connections to registries, kept for the next request. Dispose of it. */
export class Transport implements Disposable {
  readonly #parts: TransportParts
  readonly #plain = new http.Agent({ keepAlive: true })
  readonly #secure = new https.Agent({ keepAlive: true })

  constructor(parts: TransportParts) {
    this.#parts = parts
  }

  /** Rejects with ConnectionError, and with the signal's reason. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted()
    const { url } = request
    const proxy = proxyFor(url, this.#parts.environment)
    const isSecure = url.protocol === 'https:'
    const trust = isSecure ? await this.#parts.trust(url.host) : {}
    const deadline = new Deadline(this.#parts.patience.headMs)
    const ended = request.signal === undefined ? deadline.signal : AbortSignal.any([request.signal, deadline.signal])
    try {
      return await this.#exchange(request, { proxy, trust, ended, deadline })
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason
      if (deadline.signal.aborted)
        throw new ConnectionError('stalled', `no answer within ${deadline.milliseconds / 1000} s`, { cause: error })
      // Of what was to be sent, and not of the connection.
      if (error instanceof EngineError) throw error
      throw connectionErrorOf(error)
    } finally {
      deadline.end()
    }
  }

  async #exchange(
    request: HttpRequest,
    { proxy, trust, ended, deadline }: { proxy: URL | null; trust: Trust; ended: AbortSignal; deadline: Deadline },
  ) {
    const { method, url, headers } = request
    const host = bareHost(url.hostname)
    const options: https.RequestOptions = { method, host, path: `${url.pathname}${url.search}`, headers: { ...headers, host: url.host } }
    if (url.port !== '') options.port = url.port
    let made: http.ClientRequest
    if (url.protocol === 'https:') {
      const secure = { ...trust, ...(isIP(host) === 0 ? { servername: host } : {}) }
      if (proxy === null) made = https.request({ ...options, ...secure, agent: this.#secure })
      else {
        const socket = await this.#tunnel(proxy, url, ended)
        // Without an agent: with one, even `false`, the socket would not be used.
        made = https.request({ ...options, createConnection: () => tls.connect({ ...secure, socket, host }) })
      }
    } else if (proxy === null) made = http.request({ ...options, agent: this.#plain })
    else made = asked(proxy, { ...options, path: url.href, headers: { ...options.headers, ...proxyAuthorization(proxy) } })
    const response = await headOf(made, ended, () => this.#fill(made, request.body, deadline))
    return this.#response(response, made, request.signal)
  }

  #fill(made: http.ClientRequest, body: RequestBody | undefined, deadline: Deadline): void {
    if (body === undefined || !isStreamed(body)) made.end(body)
    else void sendBody(made, body, deadline, this.#parts.patience)
  }

  async #tunnel(proxy: URL, target: URL, ended: AbortSignal): Promise<Socket> {
    const authority = `${target.hostname}:${target.port || 443}`
    const made = asked(proxy, {
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...proxyAuthorization(proxy) },
      agent: false,
    })
    return new Promise((resolve, reject) => {
      const abort = () => made.destroy(new Error('stopped'))
      ended.addEventListener('abort', abort, { once: true })
      const done = () => ended.removeEventListener('abort', abort)
      made.once('connect', (response, socket: Socket) => {
        done()
        if (response.statusCode === 200) return resolve(socket)
        socket.destroy()
        reject(new ConnectionError('unreachable', `the proxy ${proxy.host} answered ${response.statusCode} for ${authority}`))
      })
      made.once('response', (response) => {
        done()
        response.destroy()
        reject(new ConnectionError('unreachable', `the proxy ${proxy.host} answered ${response.statusCode} for ${authority}`))
      })
      made.once('error', (cause) => {
        done()
        const { problem, message } = connectionErrorOf(cause)
        reject(new ConnectionError(problem, `the proxy ${proxy.host}: ${message}`, { cause }))
      })
      if (ended.aborted) abort()
      made.end()
    })
  }

  #response(response: http.IncomingMessage, made: http.ClientRequest, signal: AbortSignal | undefined): HttpResponse {
    // An answer that nobody reads any more may break as it likes.
    response.on('error', () => {})
    const { stallMs } = this.#parts.patience
    // An answer that did not wait for the whole of what was sent: the rest is not sent, and the connection is of no use.
    const cutShort = () => {
      if (!made.writableEnded) made.destroy()
    }
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: () => watched(response, stallMs, signal, cutShort),
      discard: () => {
        cutShort()
        response.destroy()
      },
    }
  }

  [Symbol.dispose](): void {
    this.#plain.destroy()
    this.#secure.destroy()
  }
}

function asked(proxy: URL, options: http.RequestOptions): http.ClientRequest {
  const isSecure = proxy.protocol === 'https:'
  const where = { host: bareHost(proxy.hostname), port: proxy.port || (isSecure ? 443 : 80) }
  return isSecure ? https.request({ ...options, ...where }) : http.request({ ...options, ...where })
}

function proxyAuthorization({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '') return {}
  const words = `${decoded(username)}:${decoded(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(words).toString('base64')}` }
}

/** As it is written where it is no code of anything: many write a password with a bare % into a URL. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function headOf(made: http.ClientRequest, ended: AbortSignal, fill: () => void): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const abort = () => made.destroy(new Error('stopped'))
    ended.addEventListener('abort', abort, { once: true })
    made.once('response', (response) => {
      ended.removeEventListener('abort', abort)
      resolve(response)
    })
    made.on('error', (error) => {
      ended.removeEventListener('abort', abort)
      reject(error)
    })
    if (ended.aborted) abort()
    fill()
  })
}

/** The body's bytes. Only time that is spent waiting for them counts: a slow disk of ours is not the registry's fault. */
async function* watched(
  response: http.IncomingMessage,
  stallMs: number,
  signal: AbortSignal | undefined,
  ended: () => void,
): AsyncGenerator<Uint8Array> {
  const iterator = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  const abort = () => response.destroy(signal?.reason instanceof Error ? signal.reason : new Error('stopped'))
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  let waitedMs = 0
  let bytes = 0
  try {
    for (;;) {
      const before = performance.now()
      const next = await within(iterator.next(), stallMs)
      if (next.done) return
      waitedMs += performance.now() - before
      bytes += next.value.length
      if (waitedMs >= stallMs) {
        if (bytes < (LEAST_BYTES_PER_SECOND * stallMs) / 1000)
          throw new ConnectionError('stalled', `only ${bytes} bytes came within ${stallMs / 1000} s`)
        waitedMs = 0
        bytes = 0
      }
      yield next.value
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    throw connectionErrorOf(error)
  } finally {
    signal?.removeEventListener('abort', abort)
    response.destroy()
    ended()
  }
}

async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConnectionError('stalled', `nothing came for ${milliseconds / 1000} s`)), milliseconds)
  })
  promise.catch(() => {})
  try {
    return await Promise.race([promise, stalled])
  } finally {
    clearTimeout(timer)
  }
}
