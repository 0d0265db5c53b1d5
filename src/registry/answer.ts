/** What a registry says in a body: bounded, and of no use to steer a terminal. */
import { EngineError } from '../errors.js'
import { ConnectionError } from './connection-error.js'
import type { HttpResponse } from './transport.js'

const MAXIMUM_ERROR_BYTES = 64 * 1024
const MAXIMUM_MESSAGE_LENGTH = 200

/** The whole body, of at most `maximumBytes`. Rejects with LIMIT_EXCEEDED before more is read, and with ConnectionError. */
export async function readBody(response: HttpResponse, maximumBytes: number, name: string): Promise<Uint8Array> {
  const announced = Number(response.headers['content-length'] ?? 0)
  const tooLarge = () => new EngineError('LIMIT_EXCEEDED', `${name} has more than ${maximumBytes} bytes`, { data: { limit: maximumBytes } })
  if (announced > maximumBytes) {
    response.discard()
    throw tooLarge()
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body()) {
    size += chunk.length
    if (size > maximumBytes) throw tooLarge()
    chunks.push(chunk)
  }
  if (response.headers['content-length'] !== undefined && size < announced)
    throw new ConnectionError('cut', `${size} of ${announced} bytes came`)
  return Buffer.concat(chunks)
}

/** Ends with an answer whose body says nothing: a short one is read, so that its connection serves again. */
export async function finish(response: HttpResponse): Promise<void> {
  const { 'content-length': announced } = response.headers
  if (response.status !== 204 && (announced === undefined || Number(announced) > MAXIMUM_ERROR_BYTES)) return response.discard()
  await readBody(response, MAXIMUM_ERROR_BYTES, 'the answer').catch(() => response.discard())
}

/** What an error's body says (distribution-spec, "Error Codes"); its status when it says nothing that can be read. */
export async function errorText(response: HttpResponse): Promise<{ readonly code: string; readonly message: string }> {
  const nothing = { code: '', message: `status ${response.status}` }
  try {
    const bytes = await readBody(response, MAXIMUM_ERROR_BYTES, 'the answer')
    const { errors } = JSON.parse(new TextDecoder().decode(bytes)) as { errors?: readonly { code?: unknown; message?: unknown }[] }
    const [first] = Array.isArray(errors) ? errors : []
    if (first === undefined) return nothing
    const code = plainText(String(first.code ?? ''))
    return { code, message: plainText(String(first.message || code || nothing.message)) }
  } catch {
    return nothing
  }
}

/** Text of a stranger's as one line without control characters. */
export function plainText(text: string): string {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g, ' ').trim()
  return line.length > MAXIMUM_MESSAGE_LENGTH ? `${line.slice(0, MAXIMUM_MESSAGE_LENGTH)}…` : line
}
