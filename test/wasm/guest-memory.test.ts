import * as assert from 'uvu/assert'
import { GuestMemory } from '../../src/wasm/preview1/guest-memory.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/preview1/guest-memory')

/** The interface of WebAssembly.Memory that a growing memory needs: growing gives it another buffer and detaches the old one. */
function growingMemory(): { readonly memory: WebAssembly.Memory; readonly grow: () => void } {
  let buffer = new ArrayBuffer(65536)
  const memory = {
    get buffer() {
      return buffer
    },
  } as unknown as WebAssembly.Memory
  return {
    memory,
    grow: () => {
      buffer = structuredClone(buffer, { transfer: [buffer] })
    },
  }
}

test('every access works right after the guest has grown its memory', () => {
  const accesses: readonly ((guest: GuestMemory) => unknown)[] = [
    (guest) => guest.u8(8),
    (guest) => guest.u16(8),
    (guest) => guest.u32(8),
    (guest) => guest.u64(8),
    (guest) => guest.setU32(8, 1),
    (guest) => guest.setU64(8, 1n),
    (guest) => guest.bytes(8, 8),
    (guest) => guest.write(8, new Uint8Array(8)),
    (guest) => guest.struct(8, 8),
  ]
  for (const access of accesses) {
    const { memory, grow } = growingMemory()
    const guest = new GuestMemory(memory)
    grow()
    assert.not.throws(() => access(guest), access.toString())
  }
})

test.run()
