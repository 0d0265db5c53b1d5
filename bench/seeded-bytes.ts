import { seededRandom } from './random.js'

/** Bytes that compress about as programs do: half of them repeated, the same for the same seed. */
export function seededBytes(length: number, seed: number): Buffer {
  const random = seededRandom(seed + 1)
  const words = Array.from({ length: 256 }, () => Math.floor(random() * 0x1_0000_0000))
  const bytes = Buffer.alloc(length)
  for (let offset = 0; offset + 8 <= length; offset += 8) {
    bytes.writeUInt32LE(Math.floor(random() * 0x1_0000_0000), offset)
    bytes.writeUInt32LE(words[offset & 0xff] ?? 0, offset + 4)
  }
  return bytes
}
