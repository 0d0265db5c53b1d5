import { EngineError } from '../errors.js'

/** Where an instruction stands. */
export interface Source {
  /** Name of the Dockerfile, as its user knows it. */
  readonly file: string
  /** First and last line, counted from 1. */
  readonly line: number
  readonly lastLine: number
  /** The instruction on one line, without its comments. */
  readonly text: string
}

/** What {@link locate} adds to `EngineError.data`: where the error is, for who shows it. */
export interface ErrorLocation {
  readonly dockerfile: string
  readonly line: number
  readonly lastLine: number
}

/**
 * The error with the place it belongs to: `Dockerfile:7: …`, but for the failure of a command, which has docker's own words and the place in
 * its hint. One that has a place already stays as it is, as does one that is no user's.
 */
export function locate(error: unknown, { file, line, lastLine }: Source): unknown {
  if (!(error instanceof EngineError) || error.data.line !== undefined) return error
  const location: ErrorLocation = { dockerfile: file, line, lastLine }
  const isCommand = error.code === 'BUILD_FAILED'
  const hint = isCommand ? `It stands in ${file}:${line}.` : error.hint
  return new EngineError(error.code, isCommand ? error.message : `${file}:${line}: ${error.message}`, {
    cause: error,
    data: { ...error.data, ...location },
    ...(hint === undefined ? {} : { hint }),
  })
}

/** Runs what an instruction asks for; what it throws says where it stands. */
export async function at<T>(source: Source, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw locate(error, source)
  }
}
