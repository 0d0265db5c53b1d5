/**
 * What an archive may become at most, in one place with how a user sets it. Bounds on what an archive's author chooses: each is counted while it
 * is read, so that a bomb ends soon after it shows and leaves nothing.
 */
import { EngineError } from '../errors.js'
import { MAXIMUM_FILE_BYTES } from '../fs/file-system.js'

/** Bounds on what compressed bytes may become. */
export interface DecompressionLimits {
  /** Bytes in all. */
  readonly maximumBytes: number
  /** Bytes for one compressed byte, judged once {@link freeBytes} have come out. */
  readonly maximumRatio: number
  /** What may come out whatever the ratio: small archives of zeros are honest. */
  readonly freeBytes: number
}

/** 64 GiB; beyond the first 256 MiB no more than 200 bytes for one: real layers stay below 20, bombs begin at 1,000. */
export const DEFAULT_DECOMPRESSION_LIMITS: DecompressionLimits = { maximumBytes: 64 * 2 ** 30, maximumRatio: 200, freeBytes: 256 * 2 ** 20 }

/** Bounds on what one layer may claim, against archives made to exhaust us. */
export interface IndexLimits {
  /** Entries of the tar. */
  readonly entries: number
  /** Size of one file, holes included. */
  readonly fileBytes: number
  /** Files, whiteouts, and directories without an entry of their own. */
  readonly nodes: number
  /** Runs of bytes in all files: as many as files, but for sparse ones. */
  readonly segments: number
  /** Bytes of all names and targets of symlinks. */
  readonly nameBytes: number
  /** Bytes of all xattrs, names included. */
  readonly xattrBytes: number
}

/** Two million entries (about half a gigabyte while indexing), files of a tebibyte; what else there is to hold, by the same measure. */
export const DEFAULT_INDEX_LIMITS: IndexLimits = {
  entries: 2_000_000,
  fileBytes: MAXIMUM_FILE_BYTES,
  nodes: 2_000_000,
  segments: 4_000_000,
  nameBytes: 128 * 2 ** 20,
  xattrBytes: 64 * 2 ** 20,
}

/** The environment variables that set the bounds, and what each bounds. */
export const LIMIT_VARIABLES = {
  WOLFFIA_ARCHIVE_BYTES: 'bytes that an archive, or all layers of an image together, may unpack to',
  WOLFFIA_ARCHIVE_RATIO: 'bytes that may come out for one compressed byte',
  WOLFFIA_ARCHIVE_FREE_BYTES: 'bytes that may come out whatever the ratio',
  WOLFFIA_LAYER_ENTRIES: 'entries of one layer',
  WOLFFIA_FILE_BYTES: 'size of one file, holes included',
} as const

/** Name of an environment variable that sets a bound. */
export type LimitVariable = keyof typeof LIMIT_VARIABLES

/** Variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The bounds on decompression that the environment asks for. Throws INVALID_ARGUMENT. */
export function decompressionLimits(environment: Environment): DecompressionLimits {
  const { maximumBytes, maximumRatio, freeBytes } = DEFAULT_DECOMPRESSION_LIMITS
  return {
    maximumBytes: read(environment, 'WOLFFIA_ARCHIVE_BYTES') ?? maximumBytes,
    maximumRatio: read(environment, 'WOLFFIA_ARCHIVE_RATIO') ?? maximumRatio,
    freeBytes: read(environment, 'WOLFFIA_ARCHIVE_FREE_BYTES') ?? freeBytes,
  }
}

/**
 * The bounds on a layer that the environment asks for. More entries than unless said bring more of all else that entries are made of. Throws
 * INVALID_ARGUMENT.
 */
export function indexLimits(environment: Environment): IndexLimits {
  const { entries, fileBytes, nodes, segments, nameBytes, xattrBytes } = DEFAULT_INDEX_LIMITS
  const wanted = read(environment, 'WOLFFIA_LAYER_ENTRIES') ?? entries
  const largestFile = read(environment, 'WOLFFIA_FILE_BYTES') ?? fileBytes
  if (largestFile > MAXIMUM_FILE_BYTES)
    throw new EngineError(
      'INVALID_ARGUMENT',
      `WOLFFIA_FILE_BYTES is ${largestFile}, and no file has more than ${MAXIMUM_FILE_BYTES} bytes`,
      {
        hint: 'Set it to that or less.',
      },
    )
  const grown = (limit: number) => Math.ceil(limit * Math.max(1, wanted / entries))
  return {
    entries: wanted,
    fileBytes: largestFile,
    nodes: wanted < entries ? wanted : grown(nodes),
    segments: grown(segments),
    nameBytes: grown(nameBytes),
    xattrBytes: grown(xattrBytes),
  }
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 }

function read(environment: Environment, name: LimitVariable): number | undefined {
  return readQuantity(environment, name, LIMIT_VARIABLES[name])
}

/**
 * A whole number from the environment, with k, m, g or t behind it for powers of 1024; undefined where nothing is said. `meaning` is for who has
 * mistyped it. Throws INVALID_ARGUMENT.
 */
export function readQuantity(environment: Environment, name: string, meaning: string): number | undefined {
  const text = environment[name]
  if (text === undefined || text === '') return undefined
  const [, digits, unit = ''] = /^([0-9]{1,15})([kmgt]?)$/i.exec(text) ?? []
  const value = Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN)
  if (Number.isSafeInteger(value)) return value
  throw new EngineError('INVALID_ARGUMENT', `${name} is ${JSON.stringify(text)}, which is no number`, {
    hint: `It is the ${meaning}: a whole number, with k, m, g or t behind it for powers of 1024.`,
  })
}

/** The error of an archive that goes beyond a bound, with the variable that would move it. */
export function limitExceeded(message: string, variable: LimitVariable, data: Readonly<Record<string, unknown>>): EngineError {
  return new EngineError('LIMIT_EXCEEDED', message, { hint: `If you trust this archive, set ${variable} higher.`, data })
}
