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

/** Where images of a registry are looked for: its mirrors in their order, then itself. */
export function endpointsOf(domain: string, { mirrors, insecureRegistries }: RegistryConfiguration): readonly Endpoint[] {
  const own = new URL(`https://${HOSTS.get(domain) ?? domain}`)
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
      plainAllowed: isLoopback(bareHost(own.hostname)) || insecureRegistries.has(domain),
      isMirror: false,
    },
  ]
}

/** `path` below the endpoint's base; `scheme` is what it was found to speak. */
export function urlAt({ base }: Endpoint, scheme: 'http:' | 'https:', path: string): URL {
  return new URL(`${scheme}//${base.host}${base.pathname.replace(/\/$/, '')}${path}`)
}
