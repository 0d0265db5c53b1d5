import type { Transpiled } from './transpile.js'

/** What a component was transpiled to as bytes: a line of JSON that says what follows, and how long each part is. */
export function encodeTranspiled({ glue, modules }: Transpiled): readonly Uint8Array[] {
  const parts = [{ name: GLUE, bytes: new TextEncoder().encode(glue) }, ...modules]
  const list = parts.map(({ name, bytes }): Part => ({ name, length: bytes.length }))
  return [new TextEncoder().encode(`${JSON.stringify(list)}\n`), ...parts.map(({ bytes }) => bytes)]
}

/** What {@link encodeTranspiled} was given; null for any other bytes. The modules are parts of them. */
export function decodeTranspiled(bytes: Uint8Array): Transpiled | null {
  const end = bytes.indexOf(LINE_FEED)
  const list = end < 0 ? null : readList(bytes.subarray(0, end))
  if (list === null) return null
  let position = end + 1
  const [glue, ...modules] = list.map(({ name, length }) => {
    const part = { name, bytes: bytes.subarray(position, position + length) }
    position += length
    return part
  })
  if (position !== bytes.length || glue?.name !== GLUE) return null
  return { glue: new TextDecoder().decode(glue.bytes), modules }
}

interface Part {
  readonly name: string
  readonly length: number
}

const GLUE = 'component.js'
const LINE_FEED = 10

function readList(line: Uint8Array): readonly Part[] | null {
  try {
    const list = JSON.parse(new TextDecoder().decode(line)) as unknown
    return Array.isArray(list) && list.every(isPart) ? list : null
  } catch {
    return null
  }
}

function isPart(value: unknown): value is Part {
  const { name, length } = (value ?? {}) as Partial<Part>
  return typeof name === 'string' && Number.isSafeInteger(length) && Number(length) >= 0
}
