import { readFileSync, statSync } from 'node:fs'
import type { Limits } from '../runtime/limits.js'
import type { RunEnd } from '../runtime/runtime.js'
import { readEnd } from '../runtime/supervision.js'
import type { SandboxExit } from './sandbox-control.js'
import { parseEvent } from './sandbox-event.js'
import { LAST_WORD_BYTES, saidPath } from './sandbox-start.js'
import { keepLeftUpper } from './uppers.js'
import { killedStatus, statusOf } from './wasm-task.js'

/** How a guest of this folder ended last: the sandbox's own word, where it came to say one; else the launcher's. Null without an end. */
export function lastEndIn(folder: string, { timeoutMs, memoryBytes }: Limits): RunEnd | null {
  const end = readEnd(folder)
  if (end === null) return null
  const said = readSaid(folder)
  if (said?.upperWhole) keepLeftUpper(folder)
  const killed = {
    asked: null,
    timedOutAfterMs: end.reason === 'timeout' ? (timeoutMs ?? 0) : null,
    durationMs: end.duration_ns / 1e6,
    memoryBytes: memoryBytes ?? null,
  }
  return { exit: said === null ? killedStatus(end, killed) : statusOf(said), finishedAt: new Date(end.time) }
}

/** Its last word; null for none, or for one that is none. */
function readSaid(folder: string): SandboxExit | null {
  try {
    // A guest that has broken out of V8 may have written more than anybody wants to read.
    if (statSync(saidPath(folder)).size > LAST_WORD_BYTES) return null
    const said = parseEvent(readFileSync(saidPath(folder), 'utf8').trimEnd())
    return said?.event === 'exited' ? said : null
  } catch {
    return null
  }
}
