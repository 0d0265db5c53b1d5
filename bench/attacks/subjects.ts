import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { compileAttacks } from '../../images/attacks/compile.js'
import { bubblewrapWords } from '../bubblewrap-words.js'
import { hasProgram } from '../has-program.js'
import { writeBundle } from '../oci-bundle.js'
import { podmanWords } from '../podman-words.js'
import { require } from '../unavailable.js'
import { packageRoot, type Workbench } from '../workbench.js'

/** Whoever runs a guest that attacks. */
export interface Subject {
  readonly name: string
  /** Gets ready. Resolves with what runs one attack and gives its exit code. Rejects with Unavailable, which is a column that says why. */
  open(workbench: Workbench): Promise<(attack: string) => Promise<number>>
}

/** The attacks in the root that every subject is given, below /attacks. Before anything else is made of that root. */
export function withAttacks(workbench: Workbench): Promise<string> {
  return workbench.once('attacks', async () => {
    require(hasProgram('cc'), 'a C compiler is needed (Debian: gcc)')
    const root = await workbench.rootDirectory()
    await mkdir(join(root, 'attacks'), { recursive: true })
    await compileAttacks(packageRoot, join(root, 'attacks'))
    return root
  })
}

const program = (attack: string) => `/attacks/${attack}`

const wolffia: Subject = {
  name: 'wolffia',
  async open(workbench) {
    const engine = await workbench.engine()
    await workbench.busyboxImage()
    return async (attack) => {
      const container = await engine.containers.create({
        image: 'busybox',
        command: [program(attack)],
        autoRemove: true,
        runtime: 'native',
      })
      container.stdout.resume()
      container.stderr?.resume()
      await container.start()
      const { exitCode } = await container.wait()
      await container.remove()
      return exitCode
    }
  },
}

const bubblewrap: Subject = {
  name: 'bubblewrap',
  async open(workbench) {
    require(hasProgram('bwrap'), 'bubblewrap is not installed (Debian: bubblewrap)')
    const driver = await workbench.driver()
    const root = await workbench.rootDirectory()
    return async (attack) => (await driver.run('bwrap', [...bubblewrapWords(root), program(attack)])).exitCode
  },
}

/** crun and runc on the same bundle, with podman's seccomp profile. */
function bundled(name: 'crun' | 'runc', before: readonly string[]): Subject {
  return {
    name,
    async open(workbench) {
      require(hasProgram(name), `${name} is not installed`)
      const driver = await workbench.peerDriver()
      const state = (await workbench.file(`${name}/state/.keep`, '')).slice(0, -'/.keep'.length)
      return async (attack) => {
        const bundle = await writeBundle(workbench, `${name}-${attack}`, [program(attack)])
        const words = ['--root', state, ...before, 'run', '--bundle', bundle, `wolffia-attack-${process.pid}`]
        return (await driver.run(name, words)).exitCode
      }
    },
  }
}

const podman: Subject = {
  name: 'podman',
  async open(workbench) {
    require(hasProgram('podman'), 'podman is not installed')
    const driver = await workbench.peerDriver()
    const words = await podmanWords(workbench)
    const imported = await driver.run('podman', [...words, 'import', await workbench.rootTar(), 'localhost/attacks'])
    require(imported.exitCode === 0, `podman import ended with ${imported.exitCode}`)
    const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096']
    const run = [...words, 'run', '--rm', '--network=none', '--cgroups=disabled', ...limits, 'localhost/attacks']
    workbench.atEnd(async () => void (await driver.run('rm', ['-rf', join(workbench.directory, 'podman')])))
    return async (attack) => (await driver.run('podman', [...run, program(attack)])).exitCode
  },
}

/** Each as its documents say to run an untrusted program, and with nothing taken from what it does by itself. */
export const SUBJECTS: readonly Subject[] = [
  wolffia,
  bubblewrap,
  bundled('crun', ['--cgroup-manager=disabled']),
  bundled('runc', ['--rootless=true']),
  podman,
]
