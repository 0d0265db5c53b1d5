/**
 * Programs that keep credentials: `docker-credential-NAME get|store|erase`, who speak JSON over stdin and stdout (docker's
 * credential-helpers). Passwords never stand in their arguments.
 */
import { spawn } from 'node:child_process'
import { EngineError } from '../errors.js'
import type { Credential } from './credential.js'

/** What helpers call a secret that is a token and no password. */
const TOKEN_USER = '<token>'
const MAXIMUM_OUTPUT_LENGTH = 64 * 1024
/** A helper may ask its user something first, and is not waited for for ever. */
const DEADLINE_MS = 120_000

/** One helper. */
export class CredentialHelper {
  readonly #program: string

  /** Throws INVALID_ARGUMENT for a name that would be a path. */
  constructor(
    readonly name: string,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly deadlineMs = DEADLINE_MS,
  ) {
    if (!/^[A-Za-z0-9][\w.-]*$/.test(name))
      throw new EngineError('INVALID_ARGUMENT', `${JSON.stringify(name)} is no name of a credential helper`, {
        hint: 'credsStore and credHelpers name what follows docker-credential-: "pass", "secretservice".',
      })
    this.#program = `docker-credential-${name}`
  }

  /** Null when it has none for that server. */
  async get(server: string): Promise<Credential | null> {
    const { exitCode, output } = await this.#call('get', server)
    if (exitCode !== 0) {
      if (/credentials not found/i.test(output)) return null
      throw this.#failed('get', output)
    }
    const { Username: username, Secret: secret } = this.#parse(output)
    if (typeof username !== 'string' || typeof secret !== 'string' || secret === '') return null
    return username === TOKEN_USER ? { kind: 'identity-token', token: secret } : { kind: 'password', username, password: secret }
  }

  /** Keeps a password. */
  async store(server: string, username: string, password: string): Promise<void> {
    const { exitCode, output } = await this.#call('store', JSON.stringify({ ServerURL: server, Username: username, Secret: password }))
    if (exitCode !== 0) throw this.#failed('store', output)
  }

  /** Forgets a server; one that it does not know is no error. */
  async erase(server: string): Promise<void> {
    const { exitCode, output } = await this.#call('erase', server)
    if (exitCode !== 0 && !/credentials not found/i.test(output)) throw this.#failed('erase', output)
  }

  #parse(output: string): Readonly<Record<string, unknown>> {
    try {
      return JSON.parse(output)
    } catch (cause) {
      throw new EngineError('ACCESS_DENIED', `${this.#program} get did not answer in JSON`, { cause })
    }
  }

  #failed(action: string, output: string): EngineError {
    const said = output.trim().split('\n', 1)[0] ?? ''
    return new EngineError('ACCESS_DENIED', `${this.#program} ${action} failed${said === '' ? '' : `: ${said}`}`, {
      hint: 'The credential helper is named in config.json, under credsStore or credHelpers.',
    })
  }

  #call(action: string, input: string): Promise<{ readonly exitCode: number | null; readonly output: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#program, [action], { env: this.environment, stdio: ['pipe', 'pipe', 'inherit'] })
      let output = ''
      // Whatever it has started may hold its output open: it is let go, and not waited for.
      const giveUp = (problem: string, hint: string) => {
        child.kill('SIGKILL')
        for (const stream of [child.stdin, child.stdout]) stream.destroy()
        child.unref()
        reject(new EngineError('ACCESS_DENIED', `${this.#program} ${action} ${problem}`, { hint }))
      }
      const deadline = setTimeout(
        () => giveUp(`did not end within ${this.deadlineMs / 1000} s`, 'Try it by itself: it may wait for an answer of yours.'),
        this.deadlineMs,
      )
      child.once('error', (cause) => {
        clearTimeout(deadline)
        reject(
          new EngineError('ACCESS_DENIED', `cannot run ${this.#program}: ${cause.message}`, {
            cause,
            hint: 'Install it, or take it out of config.json (credsStore, credHelpers).',
          }),
        )
      })
      child.stdin.on('error', () => {})
      child.stdin.end(input)
      child.stdout.setEncoding('utf8').on('data', (text) => {
        output += text
        if (output.length <= MAXIMUM_OUTPUT_LENGTH) return
        clearTimeout(deadline)
        giveUp(`answered with more than ${MAXIMUM_OUTPUT_LENGTH} characters`, 'It is no credential helper, or a broken one.')
      })
      child.once('close', (exitCode) => {
        clearTimeout(deadline)
        resolve({ exitCode, output })
      })
    })
  }
}
