/**
 * Credentials as docker, podman and skopeo keep them: `$REGISTRY_AUTH_FILE` alone where it is set, else `$DOCKER_CONFIG/config.json`, else
 * `~/.docker/config.json`. What the file does not hold itself it names a helper for (`credHelpers`, `credsStore`).
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, realpath, rename, rm, rmdir } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { EngineError, messageOf } from '../errors.js'
import { Lock } from '../store/lock.js'
import type { Credential, Credentials } from './credential.js'
import { CredentialHelper } from './credential-helper.js'

/** Where docker keeps what opens docker.io. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'
const MAXIMUM_LOCK_ATTEMPTS = 1000
const DOCKER_HUB_HOSTS = ['docker.io', 'index.docker.io', 'registry-1.docker.io']

type Members = Readonly<Record<string, unknown>>

/** What was done with a password. */
export interface SavedCredential {
  /** The helper that has it; null when it stands in the file. */
  readonly helper: string | null
  readonly path: string
}

/** The file and the helpers it names. Reads anew with each call. */
export class CredentialFile implements Credentials {
  readonly path: string

  constructor(private readonly environment: NodeJS.ProcessEnv) {
    const { REGISTRY_AUTH_FILE: own, DOCKER_CONFIG: folder, HOME: home } = environment
    this.path = own || join(folder || join(home || userInfo().homedir, '.docker'), 'config.json')
  }

  async find(registry: string, path: string): Promise<Credential | null> {
    const members = await this.#read()
    const helper = this.#helperFor(members, registry)
    if (helper !== null) {
      const credential = await helper.get(serverKey(registry))
      if (credential !== null) return credential
    }
    const auths = objectOf(members.auths)
    for (const key of keysFor(registry, path, Object.keys(auths))) {
      const credential = credentialOf(objectOf(auths[key]))
      if (credential !== null) return credential
    }
    return null
  }

  /** Keeps a password: with the helper that the file names, else in the file, which only its owner may then read. */
  async save(registry: string, username: string, password: string): Promise<SavedCredential> {
    const helper = this.#helperFor(await this.#read(), registry)
    if (helper !== null) {
      await helper.store(serverKey(registry), username, password)
      return { helper: helper.name, path: this.path }
    }
    const entry = { auth: Buffer.from(`${username}:${password}`).toString('base64') }
    await this.#change((members) => ({
      ...members,
      auths: { ...withoutKeys(objectOf(members.auths), registry), [serverKey(registry)]: entry },
    }))
    return { helper: null, path: this.path }
  }

  /** Forgets what opens a registry; false when nothing was known. */
  async erase(registry: string): Promise<boolean> {
    const members = await this.#read()
    const helper = this.#helperFor(members, registry)
    const kept = helper === null ? null : await helper.get(serverKey(registry)).catch(() => null)
    if (helper !== null) await helper.erase(serverKey(registry))
    const isListed = isAmong(objectOf(members.auths), registry)
    if (isListed) await this.#change((now) => ({ ...now, auths: withoutKeys(objectOf(now.auths), registry) }))
    return isListed || kept !== null
  }

  #helperFor(members: Members, registry: string): CredentialHelper | null {
    const helpers = objectOf(members.credHelpers)
    const key = hostsOf(registry).find((host) => typeof helpers[host] === 'string')
    const name = key === undefined ? members.credsStore : helpers[key]
    return typeof name === 'string' && name !== '' ? new CredentialHelper(name, this.environment) : null
  }

  async #read(): Promise<Members> {
    let text: string
    try {
      text = await readFile(this.path, 'utf8')
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return {}
      throw new EngineError('INVALID_ARGUMENT', `cannot read the credentials in ${this.path}: ${messageOf(cause)}`, { cause })
    }
    try {
      const value: unknown = JSON.parse(text === '' ? '{}' : text)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Members
    } catch {
      // Said below, without the text: it holds passwords.
    }
    throw new EngineError('INVALID_ARGUMENT', `${this.path} is no JSON object`, { hint: 'Mend it, or move it away and log in again.' })
  }

  /**
   * Reads, changes and writes while no other wolffia does, so that of two logins at once none is lost. The lock lies beside the file and goes
   * when nobody wants it; other programs know of none.
   */
  async #change(edit: (members: Members) => Members): Promise<void> {
    const target = await realpath(this.path).catch(() => this.path)
    const folder = `${target}.lock`
    for (let attempt = 1; ; attempt++) {
      try {
        await mkdir(dirname(target), { recursive: true, mode: 0o700 })
        return await new Lock(folder).hold(async () => this.#write(edit(await this.#read()), target))
      } catch (error) {
        // The folder has just gone with the one before.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT' && attempt < MAXIMUM_LOCK_ATTEMPTS) continue
        throw error instanceof EngineError ? error : this.#unwritable(error)
      } finally {
        await rmdir(folder).catch(() => {})
      }
    }
  }

  #unwritable(cause: unknown): EngineError {
    return new EngineError('INVALID_ARGUMENT', `cannot write the credentials to ${this.path}: ${messageOf(cause)}`, { cause })
  }

  /** By rename, into where a link leads: such a file is often one of a collection of dotfiles. */
  async #write(members: Members, target: string): Promise<void> {
    const temporary = `${target}.${randomBytes(6).toString('hex')}.new`
    try {
      const file = await open(temporary, 'wx', 0o600)
      try {
        await file.writeFile(`${JSON.stringify(members, null, '\t')}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, target)
    } catch (cause) {
      await rm(temporary, { force: true })
      throw this.#unwritable(cause)
    }
  }
}

/** Under which key docker keeps a registry's credentials, and asks helpers for them. */
export function serverKey(registry: string): string {
  return DOCKER_HUB_HOSTS.includes(registry) ? DOCKER_HUB_KEY : registry
}

function hostsOf(registry: string): readonly string[] {
  return DOCKER_HUB_HOSTS.includes(registry) ? [DOCKER_HUB_KEY, ...DOCKER_HUB_HOSTS] : [registry]
}

/** Keys that mean a repository, the narrowest first: podman keeps some for a part of a registry; older dockers wrote whole URLs. */
function keysFor(registry: string, path: string, keys: readonly string[]): readonly string[] {
  const parts = path.split('/')
  const narrow = parts.map((_part, at) => `${registry}/${parts.slice(0, parts.length - at).join('/')}`)
  const hosts = hostsOf(registry)
  return [...narrow, ...hosts, ...keys.filter((key) => hosts.includes(hostOfKey(key)))]
}

function hostOfKey(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/(v1|v2)?\/?$/, '')
}

function withoutKeys(auths: Members, registry: string): Members {
  return Object.fromEntries(Object.entries(auths).filter(([key]) => !isKeyOf(key, registry)))
}

function isAmong(auths: Members, registry: string): boolean {
  return Object.keys(auths).some((key) => isKeyOf(key, registry))
}

function isKeyOf(key: string, registry: string): boolean {
  const hosts = hostsOf(registry)
  return hosts.includes(key) || hosts.includes(hostOfKey(key))
}

function credentialOf(entry: Members): Credential | null {
  const { auth, username, password, identitytoken, registrytoken } = entry
  if (typeof registrytoken === 'string' && registrytoken !== '') return { kind: 'registry-token', token: registrytoken }
  if (typeof identitytoken === 'string' && identitytoken !== '') return { kind: 'identity-token', token: identitytoken }
  if (typeof auth === 'string' && auth !== '') {
    const words = Buffer.from(auth, 'base64').toString('utf8')
    const colon = words.indexOf(':')
    if (colon > 0) return { kind: 'password', username: words.slice(0, colon), password: words.slice(colon + 1).replace(/\0+$/, '') }
  }
  if (typeof username === 'string' && username !== '' && typeof password === 'string') return { kind: 'password', username, password }
  return null
}

function objectOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {}
}
