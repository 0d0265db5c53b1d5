import type { FilesStart } from '../../wasm/sandbox/guest-files.js'

/** Name of the module from which plugins import the functions of their owner. */
export const HOST_MODULE = 'wolffia'

/** What the sandbox of a plugin is told. Nothing in it is a default: the owner has decided everything. */
export interface PluginStart extends FilesStart {
  /** `NAME=value`. */
  readonly env: readonly string[]
  /** Channels to the owner, a thread for each: a descriptor, and the first nonce in hexadecimal. */
  readonly channels: readonly { readonly descriptor: number; readonly nonce: string }[]
  /** Functions of the owner, by the numbers they are asked for. */
  readonly hostFunctions: readonly HostFunctionSummary[]
  /** Bytes that one call may answer with, or that a run may write. */
  readonly outputBytes: number
  /** What is run once, and for how long at most; null where each instance initialises itself. */
  readonly snapshot: SnapshotStart | null
}

/** How a snapshot is taken. */
export interface SnapshotStart {
  /** The exported function that is called after `_initialize`; null for the one that Wizer's users export, if there is one. */
  readonly init: string | null
  /** Arguments of the program that is run until it reads its stdin instead; null where it is initialised. */
  readonly program: readonly string[] | null
  readonly timeoutMs: number
}

/** What the sandbox knows of a function of the owner's. */
export interface HostFunctionSummary {
  readonly name: string
  readonly takes: 'bytes' | 'numbers'
}

const LENGTH_BYTES = 4

/** The start message: its length, itself, then the module. */
export function encodeStart(start: PluginStart, module: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(start))
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, module])
}

/** What {@link encodeStart} was given. */
export function decodeStart(bytes: Buffer): { readonly start: PluginStart; readonly module: Uint8Array } {
  const end = LENGTH_BYTES + bytes.readUInt32BE()
  return { start: JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end)), module: bytes.subarray(end) }
}
