/** Streams of a tree's files: Node's own, which ask another object than `node:fs`. */
import nodeFs from 'node:fs'
import { FileHandle } from './node-fs-file-handle.js'
import type { Call } from './node-fs-forms.js'

/** What a stream asks, each with a callback. */
export interface StreamCalls {
  readonly open: Call
  readonly close: Call
  readonly read: Call
  readonly write: Call
  readonly writev: Call
  readonly fsync: Call
}

type StreamConstructor = new (path: unknown, options?: unknown) => NodeJS.EventEmitter

/** The two classes; each can be called without `new` and be inherited from as Node's own can. */
export function streamClasses(calls: StreamCalls): { readonly ReadStream: StreamConstructor; readonly WriteStream: StreamConstructor } {
  return {
    ReadStream: streamClass(nodeFs.ReadStream as unknown as StreamConstructor, calls),
    WriteStream: streamClass(nodeFs.WriteStream as unknown as StreamConstructor, calls),
  }
}

function streamClass(base: StreamConstructor, calls: StreamCalls): StreamConstructor {
  // No class: libraries that put their own in its place call Node's as a function.
  function Stream(this: unknown, path: unknown, options?: unknown): unknown {
    if (!(this instanceof Stream)) return Reflect.construct(Stream, [path, options])
    Reflect.apply(base, this, [path, { ...streamOptions(options), ...streamTarget(options, calls) }])
    return undefined
  }
  Object.setPrototypeOf(Stream, base)
  Stream.prototype = Object.create(base.prototype, { constructor: { value: Stream, writable: true, configurable: true } })
  Object.defineProperty(Stream, 'name', { value: base.name })
  return Stream as unknown as StreamConstructor
}

function streamOptions(options: unknown): object {
  if (typeof options === 'string') return { encoding: options }
  return typeof options === 'object' && options !== null ? options : {}
}

/** Whom the stream asks. A FileHandle is closed with it, so that the handle knows. */
function streamTarget(options: unknown, calls: StreamCalls): object {
  const { fd } = streamOptions(options) as { readonly fd?: unknown }
  if (!(fd instanceof FileHandle)) return { fs: calls }
  const close = (_: number, callback: (error?: Error) => void) => {
    fd.close().then(() => callback(), callback)
  }
  return { fd: fd.fd, fs: { ...calls, close } }
}
