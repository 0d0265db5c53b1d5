import { readFileSync } from 'node:fs'

/** What {@link etcFiles} depends on. */
export interface EtcRequest {
  readonly hostname: string
  readonly network: 'none' | 'host'
  /** Lines of hosts besides, which come before the container's own name. */
  readonly extraHosts?: readonly { readonly name: string; readonly address: string }[] | undefined
  /** A file of the host's, empty when it can't be read; asked only under the host's network. */
  readonly readHostFile?: (path: string) => string
}

/** A file that stands in a container over the image's own. */
export interface EtcFile {
  readonly path: string
  readonly content: string
}

const LOOPBACK_HOSTS = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff02::1\tip6-allnodes',
]

/**
 * Hosts, hostname and resolv.conf of a container. With a network of its own a container learns no name of
 * the host's; with the host's it gets the host's files, and its own name besides.
 */
export function etcFiles({ hostname, network, extraHosts = [], readHostFile = hostFile }: EtcRequest): readonly EtcFile[] {
  const hosts = network === 'host' ? readHostFile('/etc/hosts').trimEnd().split('\n') : LOOPBACK_HOSTS
  return [
    {
      path: '/etc/hosts',
      content: lines([...hosts, ...extraHosts.map(({ name, address }) => `${address}\t${name}`), `127.0.0.1\t${hostname}`]),
    },
    { path: '/etc/hostname', content: lines([hostname]) },
    {
      path: '/etc/resolv.conf',
      content: network === 'host' ? readHostFile('/etc/resolv.conf') : lines(['# this container has no network']),
    },
  ]
}

function hostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function lines(text: readonly string[]): string {
  return `${text.join('\n')}\n`
}
