import { EngineError } from '../errors.js'
import type { RegistryConfiguration } from './configuration.js'
import { bareHost, isLoopback } from './proxy.js'

/** Where a registry's name leads on the wire. */
export interface Endpoint {
  /** What stands before `/v2/`, without a slash at its end. */
  readonly base: URL
  /** Whose credentials are used: `docker.io`, `localhost:5000`, a mirror's host. */
  readonly registry: string
  /** It may speak plain HTTP: it is this machine's own, or the user has said so. */
  readonly plainAllowed: boolean
  readonly isMirror: boolean
}

/** Hosts that are not called as they are named. */
const HOSTS: ReadonlyMap<string, string> = new Map([['docker.io', 'registry-1.docker.io']])

/** Hosts that are spoken to for what the user calls insecure: docker.io is three of them. */
export function insecureHosts({ insecureRegistries }: Pick<RegistryConfiguration, 'insecureRegistries'>): ReadonlySet<string> {
  const more = insecureRegistries.has('docker.io') ? [...HOSTS.values(), 'index.docker.io'] : []
  return new Set([...insecureRegistries, ...more])
}

/** Where images of a registry are looked for: its mirrors in their order, then itself. Throws INVALID_REFERENCE for what no host can be. */
export function endpointsOf(domain: string, { mirrors, insecureRegistries }: RegistryConfiguration): readonly Endpoint[] {
  const address = `https://${HOSTS.get(domain) ?? domain}`
  if (!URL.canParse(address))
    throw new EngineError('INVALID_REFERENCE', `${JSON.stringify(domain)} is no host, or its port is none`, {
      hint: 'Write the host of the registry with an optional port up to 65535: localhost:5000/name.',
    })
  const own = new URL(address)
  return [
    ...(mirrors.get(domain) ?? []).map((base) => ({
      base,
      registry: base.host,
      plainAllowed: base.protocol === 'http:' || insecureRegistries.has(base.host),
      isMirror: true,
    })),
    {
      base: own,
      registry: domain,
      plainAllowed: isLoopback(bareHost(own.hostname)) || insecureHosts({ insecureRegistries }).has(domain),
      isMirror: false,
    },
  ]
}

/** `path` below the endpoint's base; `scheme` is what it was found to speak. */
export function urlAt({ base }: Endpoint, scheme: 'http:' | 'https:', path: string): URL {
  return new URL(`${scheme}//${base.host}${base.pathname.replace(/\/$/, '')}${path}`)
}
