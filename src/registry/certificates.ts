/**
 * Whom to trust as a registry: the roots that Node brings, `$NODE_EXTRA_CA_CERTS`, and what docker and podman users have put into
 * `certs.d/HOST[:PORT]/`: `*.crt` are CAs, a `*.cert` with the `*.key` of that name is this client's own certificate.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { EngineError, messageOf } from '../errors.js'

/** Options of a TLS connection; empty where Node's own are meant. */
export interface Trust {
  readonly ca?: readonly string[] & string[]
  readonly cert?: string
  readonly key?: string
  readonly rejectUnauthorized?: false
}

/** Reads what `folders` (each a `certs.d`) hold for a host; the first one that holds anything counts. Rejects with INVALID_ARGUMENT. */
export async function trustFor(host: string, folders: readonly string[], environment: NodeJS.ProcessEnv): Promise<Trust> {
  // A host that a registry names in a redirect is no path of ours.
  if (!/^[\w[][\w.:[\]-]*$/.test(host)) return {}
  for (const folder of folders.map((certificates) => join(certificates, host))) {
    const names = await readdir(folder).catch(() => [])
    const authorities = names.filter((name) => name.endsWith('.crt')).sort()
    const own = names.filter((name) => name.endsWith('.cert')).sort()
    if (authorities.length === 0 && own.length === 0) continue
    const [client] = own
    return {
      ...(authorities.length === 0 ? {} : { ca: await withAuthorities(folder, authorities, environment) }),
      ...(client === undefined
        ? {}
        : { cert: await pem(join(folder, client)), key: await pem(join(folder, client.replace(/\.cert$/, '.key'))) }),
    }
  }
  return {}
}

/** Named authorities come beside the known ones; given alone they would replace them. */
async function withAuthorities(folder: string, names: readonly string[], { NODE_EXTRA_CA_CERTS: extra }: NodeJS.ProcessEnv) {
  const more = extra ? [await readFile(extra, 'utf8').catch(() => '')] : []
  const own = await Promise.all(names.map((name) => pem(join(folder, name))))
  return [...rootCertificates, ...more.filter((text) => text !== ''), ...own]
}

async function pem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `cannot read the certificate ${path}: ${messageOf(cause)}`, {
      cause,
      hint: 'Beside NAME.cert there must be its key, NAME.key, and both must be yours to read.',
    })
  }
}
