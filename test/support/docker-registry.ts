/** Debian's docker-registry, the distribution project's own, on loopback with TLS and one user who has a password. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import * as https from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ServerIdentity } from './registry-server.js'
import { selfSigned } from './registry-user.js'
import { program } from './requirements.js'

/** All that it takes. */
export const DOCKER_REGISTRY = [program('docker-registry'), program('htpasswd', '-nbB', 'a', 'b'), program('openssl', 'version')]

/** A registry that runs. */
export interface RunningRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  readonly identity: ServerIdentity
  readonly username: string
  readonly password: string
  /** Folder that holds its `ca.crt`, for other programs. */
  readonly certificates: string
}

/** Starts one over a folder of its own. */
export async function startDockerRegistry(folder: string): Promise<RunningRegistry> {
  const [username, password] = ['me', 'a secret: with colon']
  const certificates = join(folder, 'certificates')
  await mkdir(certificates, { recursive: true })
  const identity = await selfSigned(folder)
  await writeFile(join(certificates, 'ca.crt'), identity.cert)
  await writeFile(join(folder, 'htpasswd'), (await promisify(execFile)('htpasswd', ['-nbB', username, password])).stdout.trim())
  const host = `127.0.0.1:${await freePort()}`
  const configuration = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: host, tls: { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') } },
    auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } },
  }
  // JSON is YAML.
  await writeFile(join(folder, 'registry.yml'), JSON.stringify(configuration))
  const child = spawn('docker-registry', ['serve', join(folder, 'registry.yml')], { stdio: 'ignore' })
  await untilItAnswers(child, host, identity)
  const end = async () => {
    const ended = once(child, 'exit')
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended
  }
  return { host, identity, username, password, certificates, [Symbol.asyncDispose]: end }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function untilItAnswers(child: ChildProcess, host: string, { cert }: ServerIdentity): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`)
    const answered = await new Promise<boolean>((resolve) => {
      https
        .get(`https://${host}/v2/`, { ca: cert, agent: false }, (response) => resolve(response.resume().statusCode === 401))
        .on('error', () => resolve(false))
    })
    if (answered) return
    await sleep(25)
  }
}
