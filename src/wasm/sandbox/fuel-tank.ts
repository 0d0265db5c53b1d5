import type { FuelExports } from '../instrument/instrument.js'
import type { Meter } from '../preview1/host.js'

/** What a call of the host costs, whatever it does. */
export const HOST_CALL_FUEL = 100
/** Bytes of the guest's memory that a call reads or writes for one of fuel, as for the instructions that do it. */
export const BYTES_PER_FUEL = 64

/** Thrown through the guest's frames. A guest that catches it gets no further: its next instruction finds the tank below zero. */
export class OutOfFuel extends Error {
  constructor() {
    super('out of fuel')
  }
}

/** The fuel of one instance: a global of its module that its own code takes from. */
export class FuelTank implements Meter {
  #global: WebAssembly.Global<bigint> | null = null
  #left: number

  /** `amount` is a safe integer, 0 or more. */
  constructor(amount: number) {
    this.#left = amount
  }

  /** Fills the instance, and runs what was its start function. Throws whatever that ends with. */
  open(exports: WebAssembly.Instance['exports'], { global, start }: FuelExports): void {
    this.#global = exports[global] as WebAssembly.Global<bigint>
    this.#global.value = BigInt(this.#left)
    if (start !== null) (exports[start] as () => void)()
  }

  /** What is left; below zero when it was too little. */
  get left(): number {
    return this.#global === null ? this.#left : Number(this.#global.value)
  }

  /** Sets what there is for the next call. */
  set left(amount: number) {
    this.#left = amount
    if (this.#global !== null) this.#global.value = BigInt(amount)
  }

  get isEmpty(): boolean {
    return this.left < 0
  }

  callHost(): void {
    this.#take(HOST_CALL_FUEL)
  }

  touch(bytes: number): void {
    this.#take(Math.floor(bytes / BYTES_PER_FUEL))
  }

  #take(amount: number): void {
    if (amount === 0) return
    this.left -= amount
    if (this.left < 0) throw new OutOfFuel()
  }
}
