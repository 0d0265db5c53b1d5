import { availableParallelism } from 'node:os'
import { parseBytes } from '../engine/words.js'
import { EngineError } from '../errors.js'
import type { Limits } from '../runtime/limits.js'
import type { CliOptions } from './command.js'
import { definedOnly } from './defined-only.js'
import { durationOf } from './duration.js'
import { invalidFlag } from './invalid-flag.js'

const WASM_PAGE_BYTES = 64 * 1024
/** Linux's PID_MAX_LIMIT. */
const MAXIMUM_PROCESSES = 4_194_304

/** What --memory, --cpus and --pids-limit ask for. Throws INVALID_ARGUMENT, and NOT_BUILT for processes without a limit. */
export function limitsOf(options: CliOptions): Pick<Limits, 'memoryBytes' | 'cpus' | 'pids'> {
  const { memory, cpus, pidsLimit } = options as { readonly memory?: string; readonly cpus?: string; readonly pidsLimit?: string }
  return definedOnly({
    memoryBytes: memory === undefined ? undefined : memoryOf(memory, '-m, --memory'),
    cpus: cpus === undefined ? undefined : cpusOf(cpus),
    pids: pidsLimit === undefined ? undefined : countOf(pidsLimit, '--pids-limit'),
  })
}

/** The same of `run`, with --timeout, --storage-opt and --fuel. Throws likewise. */
export function runLimitsOf(options: CliOptions): Partial<Limits> {
  const { timeout, storageOpt, fuel } = options as {
    readonly timeout?: string
    readonly storageOpt?: readonly string[]
    readonly fuel?: string
  }
  return {
    ...limitsOf(options),
    ...definedOnly({
      timeoutMs: timeout === undefined ? undefined : durationOf(timeout, '--timeout'),
      diskBytes: storageOpt?.map(sizeOfStorage).at(-1),
      fuel: fuel === undefined ? undefined : fuelOf(fuel),
    }),
  }
}

const FUEL_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 }

function fuelOf(text: string): number {
  const [, digits, unit = ''] = /^([1-9]\d*)([kmg]?)$/i.exec(text) ?? []
  const fuel = Number(digits) * (FUEL_UNITS[unit.toLowerCase()] ?? 1)
  if (digits !== undefined && Number.isSafeInteger(fuel)) return fuel
  throw invalidFlag(
    text,
    '--fuel',
    'not a positive whole number of instructions',
    'Write 5000000, or 5k, 5m, 5g for thousands, millions and thousands of millions.',
  )
}

/** As docker, 0 is no limit and a hundredth the least. */
function cpusOf(text: string): number | undefined {
  const cpus = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(cpus))
    throw invalidFlag(text, '--cpus', 'not a number', 'Say how many processors, with a point for a part of one: 0.5, 2.')
  if (cpus === 0) return undefined
  const most = availableParallelism()
  if (!(cpus >= 0.01 && cpus <= most)) throw invalidFlag(text, '--cpus', `there are ${most} here, and the least is 0.01`)
  return cpus
}

/** As docker, 0 is no limit. */
function memoryOf(text: string, flag: string): number | undefined {
  if (parseBytes(text) === 0) return undefined
  const bytes = bytesOf(text, flag)
  if (bytes < WASM_PAGE_BYTES)
    throw invalidFlag(
      text,
      flag,
      'the least is 64k, one page of a Wasm memory',
      `A number alone is bytes; with a unit: ${text.replace(/[^\d.].*/s, '')}m.`,
    )
  return bytes
}

function sizeOfStorage(option: string): number {
  const size = /^size=(.*)$/.exec(option)?.[1]
  if (size === undefined) throw invalidFlag(option, '--storage-opt', 'only size=BYTES is known', 'Write --storage-opt size=1g.')
  return bytesOf(size, '--storage-opt')
}

function bytesOf(text: string, flag: string): number {
  const bytes = parseBytes(text)
  if (bytes === null || bytes === 0) throw invalidFlag(text, flag, 'not a size', 'Write bytes with a unit: 512k, 64m, 1g.')
  return bytes
}

function countOf(text: string, flag: string): number {
  if (text === '-1' || text === '0')
    throw new EngineError('NOT_BUILT', `${flag} ${text} (no limit) is not built: a fork bomb must end somewhere`, {
      hint: 'Name a number that is high enough.',
    })
  if (!/^[1-9]\d*$/.test(text)) throw invalidFlag(text, flag, 'not a positive whole number', `Write ${flag} 100.`)
  if (Number(text) > MAXIMUM_PROCESSES) throw invalidFlag(text, flag, `too large: a kernel has at most ${MAXIMUM_PROCESSES} processes`)
  return Number(text)
}
