/** Pieces of an upload: how large a registry wants them, how much of them it has, and their bytes. */
import type { IncomingHttpHeaders } from 'node:http'
import type { HttpResponse } from './transport.js'

/** Opens a blob's bytes from an offset on, for each request anew. */
export type OpenFrom = (offset: number) => Promise<AsyncIterable<Uint8Array>>

/** Smaller ones are many requests for little. */
const LEAST_PIECE_BYTES = 64 * 1024

/** Size of the pieces that a registry asks for with `OCI-Chunk-Min-Length` (distribution-spec, "Pushing a blob in chunks"); null when it does not. */
export function wantedPiece(headers: IncomingHttpHeaders): number | null {
  const said = headers['oci-chunk-min-length']
  return typeof said === 'string' && /^\d{1,15}$/.test(said) ? Math.max(Number(said), LEAST_PIECE_BYTES) : null
}

/** Bytes that a registry says it has, from `Range: 0-LAST`; null when it does not say, or has the first one at most, which it says of none too. */
export function receivedBytes({ status, headers }: HttpResponse): number | null {
  if (status !== 202 && status !== 204) return null
  const last = /^(?:bytes[= ])?0-(\d{1,15})$/.exec(String(headers.range ?? ''))?.[1]
  return last === undefined || Number(last) === 0 ? null : Number(last) + 1
}

/** The bytes of one piece; `progress` is told how much of the blob is sent with each part of it. */
export async function* piece(
  open: OpenFrom,
  { offset, length }: { readonly offset: number; readonly length: number },
  progress: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let sent = 0
  for await (const chunk of await open(offset)) {
    const part = chunk.subarray(0, length - sent)
    if (part.length > 0) yield part
    sent += part.length
    progress(offset + sent)
    if (sent === length) return
  }
}
