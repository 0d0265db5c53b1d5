/** What can become of a connection: decides whether it is tried again, and what the user is told. */
export type ConnectionProblem =
  /** The other side went away, before or within an answer. */
  | 'cut'
  /** It sent nothing, or next to nothing, for too long. */
  | 'stalled'
  /** Nobody answers there, or there is no such host. */
  | 'unreachable'
  /** Its certificate is not one we trust. */
  | 'certificate'
  /** It does not speak TLS. */
  | 'not-tls'

/** A request that got no whole answer. */
export class ConnectionError extends Error {
  constructor(
    readonly problem: ConnectionProblem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EADDRNOTAVAIL'])
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|ERR_TLS_/

/** Node's error of a socket as one of ours. */
export function connectionErrorOf(error: unknown): ConnectionError {
  if (error instanceof ConnectionError) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  // Several addresses were tried: Node joins their errors and leaves the message empty.
  const said = message || code || 'no connection'
  const problem: ConnectionProblem = UNREACHABLE.has(code)
    ? 'unreachable'
    : code === 'EPROTO' || code.startsWith('ERR_SSL_')
      ? 'not-tls'
      : CERTIFICATE.test(code)
        ? 'certificate'
        : 'cut'
  return new ConnectionError(problem, said, { cause: error })
}
