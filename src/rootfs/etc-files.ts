import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A file of ours that is bound over the image's. */
export interface EtcFile {
  /** On the host. */
  readonly source: string
  /** In the container. */
  readonly path: string
}

/** What {@link etcFileContents} depends on. */
export interface EtcRequest {
  readonly hostname: string
  readonly network: 'none' | 'host'
  /** A file of the host's, empty when it can't be read; asked only under the host's network. */
  readonly readHostFile: (path: string) => string
}

const LOOPBACK_HOSTS = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff02::1\tip6-allnodes',
]

/**
 * Contents of hosts, hostname and resolv.conf by their paths in the container. With a network of its own a container learns no name of
 * the host's; with the host's it gets the host's files, and its own name besides.
 */
export function etcFileContents({ hostname, network, readHostFile }: EtcRequest): Readonly<Record<string, string>> {
  const hosts = network === 'host' ? readHostFile('/etc/hosts').trimEnd().split('\n') : LOOPBACK_HOSTS
  return {
    '/etc/hosts': lines([...hosts, `127.0.0.1\t${hostname}`]),
    '/etc/hostname': lines([hostname]),
    '/etc/resolv.conf': network === 'host' ? readHostFile('/etc/resolv.conf') : lines(['# this container has no network']),
  }
}

/** Writes the files into `directory`, which is made when missing. */
export function writeEtcFiles(directory: string, request: Omit<EtcRequest, 'readHostFile'>): EtcFile[] {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return Object.entries(etcFileContents({ ...request, readHostFile })).map(([path, content]) => {
    const source = join(directory, path.slice('/etc/'.length))
    writeFileSync(source, content)
    // Whatever the caller's umask is, any user of the container reads them.
    chmodSync(source, 0o644)
    return { source, path }
  })
}

function readHostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function lines(text: readonly string[]): string {
  return `${text.join('\n')}\n`
}
