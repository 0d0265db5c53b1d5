import { trustFor } from './certificates.js'
import { RegistryClient } from './client.js'
import { certificateFolders, type RegistryConfiguration, readConfiguration } from './configuration.js'
import type { Credentials } from './credential.js'
import { CredentialFile } from './credential-file.js'
import { insecureHosts } from './endpoint.js'
import { DEFAULT_PATIENCE, type Patience } from './patience.js'
import { Transport } from './transport.js'

/** What a client goes by. */
export interface OpenClientOptions {
  /** Proxies, folders of settings and of credentials; this process's unless said. */
  readonly environment?: NodeJS.ProcessEnv
  /** Those of the user's files and helpers unless said. */
  readonly credentials?: Credentials
  readonly patience?: Partial<Patience>
  /** Registries that are insecure beside those of the user's settings. */
  readonly insecureRegistries?: readonly string[]
}

/** A client with the user's settings, and these. Dispose of it. */
export interface OpenedClient extends Disposable {
  readonly client: RegistryClient
  readonly configuration: RegistryConfiguration
}

/** Makes a client as the user has set it up. Rejects with INVALID_ARGUMENT for settings that are none. */
export async function openClient(options: OpenClientOptions = {}): Promise<OpenedClient> {
  const { environment = process.env, credentials = new CredentialFile(environment) } = options
  const written = await readConfiguration(environment)
  const configuration = { ...written, insecureRegistries: new Set([...written.insecureRegistries, ...(options.insecureRegistries ?? [])]) }
  const insecure = insecureHosts(configuration)
  const patience = { ...DEFAULT_PATIENCE, ...options.patience }
  const folders = certificateFolders(environment)
  const transport = new Transport({
    environment,
    patience,
    trust: async (host) => ({
      ...(await trustFor(host, folders, environment)),
      ...(insecure.has(host) ? { rejectUnauthorized: false as const } : {}),
    }),
  })
  const client = new RegistryClient({ transport, configuration, credentials, patience })
  return { client, configuration, [Symbol.dispose]: () => client[Symbol.dispose]() }
}
