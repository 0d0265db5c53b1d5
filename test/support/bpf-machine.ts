import * as assert from 'uvu/assert'
import { OPCODES } from '../../src/launcher/bpf.js'

/** What the kernel would do with a call: classic BPF over struct seccomp_data, instruction by instruction. */
export function decide(program: Uint8Array, architecture: number, number: number, args: readonly bigint[] = []): number {
  const data = new DataView(new ArrayBuffer(64))
  data.setUint32(0, number, true)
  data.setUint32(4, architecture, true)
  args.forEach((value, index) => {
    data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, value), true)
  })
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  let accumulator = 0
  for (let at = 0, steps = 0; steps < 4096; steps++) {
    const offset = at * 8
    assert.ok(offset < program.length, 'runs past its end')
    const [code, jumpTrue, jumpFalse, value] = [
      view.getUint16(offset, true),
      view.getUint8(offset + 2),
      view.getUint8(offset + 3),
      view.getUint32(offset + 4, true),
    ]
    at++
    switch (code) {
      case OPCODES.load:
        accumulator = data.getUint32(value, true)
        break
      case OPCODES.and:
        accumulator = (accumulator & value) >>> 0
        break
      case OPCODES.jump:
        at += value
        break
      case OPCODES.jumpIfEqual:
        at += accumulator === value ? jumpTrue : jumpFalse
        break
      case OPCODES.jumpIfGreater:
        at += accumulator > value ? jumpTrue : jumpFalse
        break
      case OPCODES.jumpIfGreaterOrEqual:
        at += accumulator >= value ? jumpTrue : jumpFalse
        break
      case OPCODES.return:
        return value
      default:
        throw new Error(`opcode ${code}`)
    }
  }
  throw new Error('does not end')
}
