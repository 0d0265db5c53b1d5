/**
 * What a guest is given in place of the world when its run is to be the same each time: a clock that it alone moves, chance from a seed, and
 * stdin that is never there in part.
 */
import { createCipheriv, createHash } from 'node:crypto'
import { fromUtf8 } from '../../fs/names.js'
import type { Host, InputStream } from '../preview1/host.js'
import type { ModuleInstrumentation } from './module-compiler.js'
import { pause } from './output.js'
import type { GuestProcess, StartMessage } from './protocol.js'

/** 2000-01-01T00:00:00Z, when every deterministic run begins. */
export const DETERMINISTIC_START_NS = 946_684_800_000_000_000n
/** By how much each look at a clock moves it, so that a guest which waits by looking comes to an end. */
export const DETERMINISTIC_STEP_NS = 1000n

/** What the modules of a sandbox are compiled with. */
export function instrumentationOf({ limits, deterministic, recording }: StartMessage): ModuleInstrumentation {
  return { fuel: limits.fuel !== null, canonicalNan: deterministic !== null || recording !== null }
}

/** Time that passes only when the guest looks at it, or sleeps. */
export class SteppedClock {
  #elapsedNs = 0n

  /** Since the run began. Moves it. */
  step(): bigint {
    this.#elapsedNs += DETERMINISTIC_STEP_NS
    return this.#elapsedNs
  }

  /** For the times of files, which the guest has not asked for. */
  readonly timeNs = (): bigint => DETERMINISTIC_START_NS + this.#elapsedNs

  /** A sleep is over as soon as it has begun. */
  advance(toNs: bigint): void {
    if (toNs > this.#elapsedNs) this.#elapsedNs = toNs
  }
}

/** A host without anything of this machine's in it. */
export function deterministicHost({ args, env }: GuestProcess, clock: SteppedClock, seed: string): Host {
  // AES in counter mode is the same stream of bytes on every machine.
  const key = createHash('sha256').update(`wolffia deterministic\n${seed}`).digest()
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  return {
    args: args.map(fromUtf8),
    env: env.map(fromUtf8),
    clock: {
      resolutionNs: DETERMINISTIC_STEP_NS,
      realtimeNs: () => DETERMINISTIC_START_NS + clock.step(),
      monotonicNs: () => clock.step(),
      cpuNs: () => clock.step(),
    },
    random(buffer) {
      buffer.set(stream.update(new Uint8Array(buffer.length)))
    },
    wait(_stdin, deadlineNs) {
      if (deadlineNs !== null) clock.advance(deadlineNs)
      // It waits for nothing that could ever come.
      else for (;;) pause(LONGEST_PAUSE_MS)
    },
  }
}

const LONGEST_PAUSE_MS = 60_000

/** Stdin that is waited for whenever it is looked at, and read as full as it is asked for: when its bytes come makes no difference. */
export function wholeInput(input: InputStream): InputStream {
  const first = new Uint8Array(1)
  let held = 0
  return {
    available() {
      if (held === 0) held = input.read(first)
      return { bytes: held, ended: held === 0 }
    },
    read(buffer) {
      if (buffer.length === 0) return 0
      let filled = held
      if (held > 0) buffer.set(first)
      held = 0
      while (filled < buffer.length) {
        const count = input.read(buffer.subarray(filled))
        if (count === 0) break
        filled += count
      }
      return filled
    },
  }
}
