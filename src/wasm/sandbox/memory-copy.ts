/**
 * Copies to and from shared memory as fast as memcpy(3). V8's `set` copies shared memory in steps that other threads may see one by one: a
 * third of the speed, and a twentieth where the two do not lie at the same place within a word. `fill` of a Buffer by another is memcpy.
 */
import { Buffer } from 'node:buffer'

/**
 * What the environment of a process that copies so has to say. glibc copies long pieces by `rep movsb`, which some processors (AMD's Zen 3 and
 * 4) do at a twentieth of their speed when the target begins up to 32 bytes behind the source, counted within a page: a guest's buffer easily does.
 * Another C library ignores it.
 */
export const MEMORY_COPY_ENVIRONMENT = { GLIBC_TUNABLES: 'glibc.cpu.x86_rep_movsb_threshold=1000000000' } as const

/** Below it the way out of JavaScript costs more than it saves. */
const LEAST_BYTES = 2048

const { fill } = Buffer.prototype

/** Copies all of `source` to the beginning of `target`, which is not shorter; they do not overlap. */
export function copyMemory(target: Uint8Array, source: Uint8Array): void {
  if (source.length < LEAST_BYTES) target.set(source)
  else fill.call(target as Buffer, source, 0, source.length)
}
