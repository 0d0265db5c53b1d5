/** A user of registries: a home with settings and credentials, a store, and no time to lose between attempts. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Journal } from '../../src/container/journal.js'
import { ImagePulls } from '../../src/engine/image-pulls.js'
import { type ImagePushRequest, pushNamed } from '../../src/engine/image-pushes.js'
import { parseReference, withDefaultTag } from '../../src/reference/normalize.js'
import { openClient } from '../../src/registry/open-client.js'
import type { Patience } from '../../src/registry/patience.js'
import type { Pulled, PullOptions } from '../../src/registry/pull.js'
import type { Pushed } from '../../src/registry/push.js'
import { prune } from '../../src/store/prune.js'
import { Store } from '../../src/store/store.js'
import { withFolder } from './image-fixtures.js'
import type { ServerIdentity } from './registry-server.js'

/** One of them. */
export class RegistryUser {
  /** Pauses that were waited, in milliseconds. */
  readonly pauses: number[] = []
  readonly environment: Record<string, string>
  patience: Partial<Patience>

  constructor(
    readonly folder: string,
    readonly store: Store,
  ) {
    this.environment = { HOME: folder, PATH: `${join(folder, 'bin')}:${process.env.PATH}` }
    this.patience = {
      pause: async (milliseconds) => {
        this.pauses.push(milliseconds)
      },
    }
  }

  /** Writes a file below the home. */
  async write(path: string, content: string | object, mode = 0o600): Promise<void> {
    await mkdir(dirname(join(this.folder, path)), { recursive: true })
    await writeFile(join(this.folder, path), typeof content === 'string' ? content : JSON.stringify(content), { mode })
  }

  /** Settings of registries. */
  configure(settings: object): Promise<void> {
    return this.write('.config/wolffia/registries.json', settings)
  }

  /** Credentials by registry, as docker keeps them. */
  credentials(words: Readonly<Record<string, string>>): Promise<void> {
    const auths = Object.entries(words).map(([registry, pair]) => [registry, { auth: Buffer.from(pair).toString('base64') }])
    return this.write('.docker/config.json', { auths: Object.fromEntries(auths) })
  }

  /** Trusts a CA for one host. */
  async trust(host: string, { cert }: Pick<ServerIdentity, 'cert'>): Promise<void> {
    await this.write(`.config/wolffia/certs.d/${host}/ca.crt`, cert)
  }

  /** Pulls by a name, as the command does. */
  async pull(name: string, options: Partial<PullOptions> = {}): Promise<Pulled> {
    const parts = { store: this.store, journal: new Journal(this.folder), prune: () => prune(this.store) }
    const { wish = {}, report: progress, signal } = options
    return new ImagePulls(parts, { environment: this.environment, patience: this.patience }).pull(name, { wish, progress, signal })
  }

  /** Pushes a name, as the command does. */
  push(name: string, request: Partial<ImagePushRequest> = {}): Promise<readonly Pushed[]> {
    const client = { environment: this.environment, patience: this.patience }
    return pushNamed({ store: this.store, journal: new Journal(this.folder) }, name, { allTags: false, ...request }, client)
  }

  open() {
    return openClient({ environment: this.environment, patience: this.patience })
  }

  /** Names in the store. */
  async names(): Promise<readonly string[]> {
    return (await this.store.references.list()).flatMap(({ reference }) =>
      reference === null ? [] : [`${reference.domain}/${reference.path}:${reference.tag ?? reference.digest}`],
    )
  }
}

/** A user with an empty store, gone afterwards. */
export function withUser<T>(body: (user: RegistryUser) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => body(new RegistryUser(folder, await Store.open({ root: join(folder, 'store') }))))
}

/** A reference as {@link RegistryUser.pull} reads it, with its tag. */
export function named(text: string) {
  return withDefaultTag(parseReference(text))
}

/** A certificate for `names` that signs itself, made by openssl. */
export async function selfSigned(folder: string, names = 'IP:127.0.0.1,DNS:localhost'): Promise<ServerIdentity> {
  const [key, cert] = [join(folder, 'server.key'), join(folder, 'server.crt')]
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=registry'],
    ...['-addext', `subjectAltName=${names}`, '-keyout', key, '-out', cert],
  ])
  return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') }
}
