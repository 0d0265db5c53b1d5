import { EngineError } from '../../errors.js'
import { unkept } from '../../wasm/instrument/reveal.js'
import { WASM_PAGE_BYTES } from '../../wasm/module.js'
import { GuestExit } from '../../wasm/preview1/host.js'
import { ASYNCIFY } from '../asyncify.js'

/** What a point is of: one instance, whose functions are called as a guest's. */
export interface PointInstance {
  /** Calls an exported function. Throws whatever ends it. */
  call(name: string, arguments_: readonly number[]): unknown
  memory(): WebAssembly.Memory
}

type HostCall = (...arguments_: readonly unknown[]) => unknown

const STDIN = 0
const SUCCESS = 0
/** Room for the frames: CPython's, of a script of one line, take some hundreds of bytes each. Only what is written to is kept. */
const STACK_PAGES = 16
const HEAD_BYTES = 8

/**
 * The moment at which a program first reads its stdin: it is stopped there once, and goes on from there in as many instances as there are runs.
 * The frames of its functions are unwound into its memory and wound up again by code that Binaryen's pass Asyncify has put into the module.
 */
export class StdinPoint {
  readonly #instance: PointInstance
  #waitsFor: 'its end' | 'the point' | 'the same point' = 'its end'
  #frames: number | null = null

  constructor(instance: PointInstance) {
    this.#instance = instance
  }

  /** `fd_read` as the guest is to import it. */
  around(read: HostCall): HostCall {
    return (...arguments_) => {
      if (this.#waitsFor === 'the point' && arguments_[0] === STDIN) return this.#unwind()
      if (this.#waitsFor === 'the same point') {
        this.#waitsFor = 'its end'
        this.#instance.call(ASYNCIFY.stopRewind, [])
      }
      return read(...arguments_)
    }
  }

  /** Runs the program up to it, and gives where its frames lie. Throws GUEST_TRAPPED for one that ends before, NOT_BUILT for too many frames. */
  reach(): number {
    this.#waitsFor = 'the point'
    try {
      this.#instance.call('_start', [])
    } catch (error) {
      throw error instanceof GuestExit ? endedBefore(error.exitCode) : error
    }
    if (this.#frames === null) throw endedBefore(0)
    this.#waitsFor = 'its end'
    this.#instance.call(ASYNCIFY.stopUnwind, [])
    return this.#frames
  }

  /** Runs the program on from there. Throws whatever ends it. */
  goOn(frames: number): void {
    this.#waitsFor = 'the same point'
    this.#instance.call(ASYNCIFY.startRewind, [frames])
    this.#instance.call('_start', [])
  }

  #unwind(): number {
    this.#frames = this.#room()
    this.#waitsFor = 'its end'
    this.#instance.call(ASYNCIFY.startUnwind, [this.#frames])
    return SUCCESS
  }

  /** New pages of the guest's memory that begin with where the frames may lie, from and to. */
  #room(): number {
    const memory = this.#instance.memory()
    const at = memory.buffer.byteLength
    try {
      memory.grow(STACK_PAGES)
    } catch {
      throw unkept(`its memory has no room for its frames (${STACK_PAGES * WASM_PAGE_BYTES} bytes more)`)
    }
    const head = new DataView(memory.buffer, at, HEAD_BYTES)
    head.setUint32(0, at + HEAD_BYTES, true)
    head.setUint32(4, at + STACK_PAGES * WASM_PAGE_BYTES, true)
    return at
  }
}

function endedBefore(exitCode: number): EngineError {
  return new EngineError(
    'GUEST_TRAPPED',
    `the program ended with exit code ${exitCode} before it read its stdin: there is nothing to go on with`,
    {
      data: { exitCode },
    },
  )
}
