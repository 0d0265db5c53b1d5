/** The kernel that a virtual machine boots: a Debian package, laid out as `dpkg-deb -x` leaves it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { require } from '../unavailable.js'

/** A kernel and what of it can be loaded. */
export interface MachineKernel {
  readonly version: string
  readonly path: string
  /** Paths of these modules and of those they depend on, each after what it depends on; what is built in has none. */
  modules(names: readonly string[]): readonly string[]
}

/** Folder in which the package is unpacked. */
export const KERNEL_FOLDER = process.env.WOLFFIA_MACHINE_KERNEL ?? join(homedir(), '.cache/wolffia/machine')

const howToGet = (folder: string) =>
  'cd "$(mktemp -d)" && apt-get download "$(apt-cache depends linux-image-cloud-amd64 | sed -n \'s/.*Depends: //p\')" && ' +
  `mkdir -p ${folder} && dpkg-deb -x linux-image-*.deb ${folder}`

/** The newest kernel in `unpacked`. Throws Unavailable with how to get one. */
export function machineKernel(unpacked = KERNEL_FOLDER): MachineKernel {
  const boot = join(unpacked, 'boot')
  const [path] = (existsSync(boot) ? readdirSync(boot) : [])
    .filter((name) => name.startsWith('vmlinuz-'))
    .map((name) => join(boot, name))
    .sort(new Intl.Collator('en', { numeric: true }).compare)
    .reverse()
  require(path, `there is no kernel for a virtual machine: ${howToGet(unpacked)}`)
  const version = basename(path).replace('vmlinuz-', '')
  const folder = join(unpacked, 'lib/modules', version)
  return { version, path, modules: (names) => inOrder(folder, names) }
}

function inOrder(folder: string, names: readonly string[]): readonly string[] {
  const paths = new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ko'))
      .map((path) => [nameOf(path), join(folder, path)]),
  )
  const found = new Set<string>()
  const visit = (name: string) => {
    const path = paths.get(name)
    if (path === undefined || found.has(path)) return
    for (const other of dependencies(path)) visit(other)
    found.add(path)
  }
  for (const name of names) visit(name)
  return [...found]
}

const nameOf = (path: string) => basename(path, '.ko').replaceAll('-', '_')

/** As the module's own .modinfo has them, so that no depmod has to run. */
function dependencies(path: string): readonly string[] {
  const [, names = ''] = /\0depends=([^\0]*)\0/.exec(readFileSync(path, 'latin1')) ?? []
  return names.split(',').filter((name) => name !== '')
}
