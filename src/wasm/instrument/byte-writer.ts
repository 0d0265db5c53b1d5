/** Bytes that become a module, written from the front. */
export class ByteWriter {
  #bytes = new Uint8Array(1024)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** What was written, as a view that is good until more is. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  /** Numbers from 0 to 255. */
  bytes(values: readonly number[] | Uint8Array): void {
    this.#reserve(values.length)
    this.#bytes.set(values, this.#length)
    this.#length += values.length
  }

  /** LEB128, unsigned. */
  u32(value: number): void {
    this.#leb(value, 128)
  }

  /** LEB128 of a signed type, for a number that is not negative: the last byte's seventh bit is its sign. */
  positive(value: number): void {
    this.#leb(value, 64)
  }

  /** LEB128, signed: of 32 bits or of 64. */
  signed(value: bigint): void {
    let rest = value
    for (; rest < -64n || rest > 63n; rest >>= 7n) this.byte(Number(rest & 127n) | 128)
    this.byte(Number(rest & 127n))
  }

  #leb(value: number, below: number): void {
    let rest = value
    for (; rest >= below; rest = Math.floor(rest / 128)) this.byte((rest & 127) | 128)
    this.byte(rest)
  }

  /** A vector of bytes: its length, then itself. */
  sized(values: Uint8Array): void {
    this.u32(values.length)
    this.bytes(values)
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count))
    larger.set(this.written())
    this.#bytes = larger
  }
}
