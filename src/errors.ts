/**
 * Everything a user of wolffia can meet as an error has one of these codes. A new code does not compile until it has an
 * exit code below (and, once there is a daemon, an HTTP status).
 */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'INVALID_REFERENCE'
  | 'INVALID_IMAGE'
  | 'INVALID_ARCHIVE'
  | 'UNSAFE_PATH'
  | 'DIGEST_MISMATCH'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'IMAGE_NOT_FOUND'
  | 'PLATFORM_NOT_FOUND'
  | 'CONTAINER_NOT_FOUND'
  | 'VOLUME_NOT_FOUND'
  | 'FILE_NOT_FOUND'
  | 'CONFLICT'
  | 'STORE_LOCKED'
  | 'ACCESS_DENIED'
  | 'REGISTRY_FAILED'
  | 'NOT_BUILT'
  | 'UNSUPPORTED_BY_HOST'
  | 'RUNTIME_UNAVAILABLE'
  | 'WRONG_RUNTIME'
  | 'REQUIREMENT_NOT_MET'
  | 'LIMIT_EXCEEDED'
  | 'BUILD_FAILED'
  | 'COMMAND_NOT_FOUND'
  | 'COMMAND_NOT_EXECUTABLE'
  | 'FUNCTION_NOT_FOUND'
  | 'INVALID_RESULT'
  | 'GUEST_TRAPPED'
  | 'DEADLINE_EXCEEDED'
  | 'HOST_FUNCTION_FAILED'
  | 'INSTANCE_LOST'
  | 'LAUNCHER_FAILED'
  | 'SANDBOX_FAILED'
  | 'ABORTED'
  | 'INTERNAL'

/** Options of {@link EngineError}. */
export interface EngineErrorOptions {
  /** What led to it; shown with `--debug` only. */
  readonly cause?: unknown
  /** The values the message speaks of, for programs. */
  readonly data?: Readonly<Record<string, unknown>>
  /** What the user can do about it, one sentence; the command line prints it below the message. */
  readonly hint?: string
}

/** An error that is meant to be read: it says what failed, with which value, and in `hint` what to do. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: ErrorCode
  readonly data: Readonly<Record<string, unknown>>
  readonly hint: string | undefined

  /** `message` says what failed and with which value, and ends without a full stop. */
  constructor(code: ErrorCode, message: string, options: EngineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.data = options.data ?? {}
    this.hint = options.hint
  }
}

/**
 * Exit code of `run` (and `create`, `start`, `exec`) for an error of wolffia's own, as docker's command line has them:
 * 125 the container could not be run, 126 the command cannot be executed, 127 the command does not exist.
 */
export const RUN_EXIT_CODES: Readonly<Record<ErrorCode, 125 | 126 | 127>> = {
  INVALID_ARGUMENT: 125,
  INVALID_REFERENCE: 125,
  INVALID_IMAGE: 125,
  INVALID_ARCHIVE: 125,
  UNSAFE_PATH: 125,
  DIGEST_MISMATCH: 125,
  UNSUPPORTED_MEDIA_TYPE: 125,
  IMAGE_NOT_FOUND: 125,
  PLATFORM_NOT_FOUND: 125,
  CONTAINER_NOT_FOUND: 125,
  VOLUME_NOT_FOUND: 125,
  FILE_NOT_FOUND: 125,
  CONFLICT: 125,
  STORE_LOCKED: 125,
  ACCESS_DENIED: 125,
  REGISTRY_FAILED: 125,
  NOT_BUILT: 125,
  UNSUPPORTED_BY_HOST: 125,
  RUNTIME_UNAVAILABLE: 125,
  WRONG_RUNTIME: 125,
  REQUIREMENT_NOT_MET: 125,
  LIMIT_EXCEEDED: 125,
  BUILD_FAILED: 125,
  COMMAND_NOT_FOUND: 127,
  COMMAND_NOT_EXECUTABLE: 126,
  FUNCTION_NOT_FOUND: 125,
  INVALID_RESULT: 125,
  GUEST_TRAPPED: 125,
  DEADLINE_EXCEEDED: 125,
  HOST_FUNCTION_FAILED: 125,
  INSTANCE_LOST: 125,
  LAUNCHER_FAILED: 125,
  SANDBOX_FAILED: 125,
  ABORTED: 125,
  INTERNAL: 125,
}

/**
 * Runs what takes back a failed action, each step even when one before it fails, and returns `error` for the caller to throw. What went
 * wrong on the way back becomes its `cause`, before the one it had: the first failure is what the user must read.
 */
export async function afterCleanUp(error: unknown, ...steps: readonly (() => unknown)[]): Promise<unknown> {
  const failures: unknown[] = []
  for (const step of steps) {
    try {
      await step()
    } catch (failure) {
      failures.push(failure)
    }
  }
  if (failures.length > 0 && error instanceof Error)
    error.cause = new AggregateError(failures, `what was begun could not be taken back: ${failures.map(messageOf).join('; ')}`, {
      cause: error.cause,
    })
  return error
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
