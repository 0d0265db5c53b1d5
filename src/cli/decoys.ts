import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Name of the environment variable that holds a secret, as so many shells do. */
const SECRET_NAME = 'DEPLOY_TOKEN'
const KEY_FILES = ['.ssh/id_ed25519', '.aws/credentials', '.netrc']
const SHELL_START = '# a decoy of yours: what stands here runs at every login\n'

/** What was seen of a theft from outside, whatever the thief says. */
export interface Traces {
  /** The decoy .bashrc is not as it was. */
  readonly fileChanged: boolean
  /** Connections that reached the listener. */
  readonly connections: number
}

/** A home, a secret, a process and a listener that stand for the user's own: nothing real is within the thief's errand. */
export class Decoys implements AsyncDisposable {
  #connections = 0

  private constructor(
    readonly directory: string,
    readonly listener: Server,
    readonly bystander: ChildProcess,
  ) {}

  /** Plants them. */
  static async plant(): Promise<Decoys> {
    const directory = await mkdtemp(join(tmpdir(), 'wolffia-demo-'))
    for (const name of KEY_FILES) {
      await mkdir(dirname(join(directory, 'home', name)), { recursive: true })
      await writeFile(join(directory, 'home', name), `decoy: ${randomBytes(24).toString('hex')}\n`, { mode: 0o600 })
    }
    const listener = createServer()
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    const decoys = new Decoys(directory, listener, spawn('sleep', ['120'], { stdio: 'ignore' }))
    decoys.bystander.on('error', () => {})
    listener.on('connection', (socket) => {
      decoys.#connections++
      socket.on('error', () => {}).resume()
    })
    process.env[SECRET_NAME] = `decoy-${randomBytes(12).toString('hex')}`
    await decoys.reset()
    return decoys
  }

  /** The decoys as they were in the beginning. */
  async reset(): Promise<void> {
    this.#connections = 0
    await writeFile(this.#outside, SHELL_START)
  }

  /** What the last thief left behind. */
  async traces(): Promise<Traces> {
    return { fileChanged: (await readFile(this.#outside, 'utf8')) !== SHELL_START, connections: this.#connections }
  }

  /** The thief's words: these decoys, and bombs of a size that any machine bears. */
  errand(scratch: string): readonly string[] {
    const address = this.listener.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const places = [`home=${join(this.directory, 'home')}`, `outside=${this.#outside}`, `scratch=${scratch}`]
    return [...places, `secret=${SECRET_NAME}`, `hostname=${hostname()}`, `port=${port}`, 'forks=64', 'memory=64', 'disk=32']
  }

  get #outside(): string {
    return join(this.directory, 'home/.bashrc')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    delete process.env[SECRET_NAME]
    this.bystander.kill('SIGKILL')
    this.listener.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}
