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

/** Who keeps his ids in a container (`--userns keep-id`). */
export interface KeptUser {
  readonly uid: number
  readonly gid: number
  /** His name on the host; the number stands for it where the image has the name already, or where it could not be one. */
  readonly name: string
}

/** Bytes of the image's /etc/passwd and /etc/group that are taken over; to a longer one nothing is added, nor to one that is not there. */
const ACCOUNT_FILE_BYTES = 1024 * 1024
const ACCOUNT_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/

/**
 * /etc/passwd and /etc/group as podman has them for who keeps his ids: the image's, and a line more where it lacks his id. `readImageFile`
 * gives at most as many bytes as it is asked for, and none where there is no such file.
 */
export function accountFiles(
  { uid, gid, name }: KeptUser,
  readImageFile: (path: string, maximumBytes: number) => string,
): readonly EtcFile[] {
  return [
    { path: '/etc/passwd', id: uid, rest: `${uid}:${gid}::/:/bin/sh` },
    { path: '/etc/group', id: gid, rest: `${gid}:` },
  ].flatMap(({ path, id, rest }) => {
    const content = readImageFile(path, ACCOUNT_FILE_BYTES)
    const known = content.split('\n').map((line) => line.trim().split(':'))
    if (content === '' || content.length >= ACCOUNT_FILE_BYTES || content.includes('\0') || known.some((fields) => fields[2] === `${id}`))
      return []
    const isFree = ACCOUNT_NAME.test(name) && !known.some((fields) => fields[0] === name)
    const before = content.endsWith('\n') ? content : `${content}\n`
    return [{ path, content: `${before}${isFree ? name : id}:x:${rest}\n` }]
  })
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
