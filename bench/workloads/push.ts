import { join } from 'node:path'
import { expectSuccess } from '../expect-success.js'
import { hasProgram } from '../has-program.js'
import { layeredImages } from '../layered-images.js'
import { localRegistry } from '../local-registry.js'
import { podmanWords } from '../podman-words.js'
import { require } from '../unavailable.js'
import { packageRoot } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

/** Plain layers to docker-registry on loopback, packed with gzip on the way; with `shared`, it has all but the last. Forgotten outside the clock. */
function pushOf(name: string, layers: number, shared: boolean): Workload {
  return {
    name,
    summary: `push of ${layers} layer${layers === 1 ? '' : 's'}, 50 MB in all${shared ? ', all but one of them there' : ''}`,
    unit: 'ms',
    rounds: 10,
    quickRounds: 2,
    async open(workbench) {
      const { host, clear } = await localRegistry(workbench, name)
      const image = `${host}/bench/layers-${layers}`
      await layeredImages(workbench, image, { layers, megabytes: 50 })
      const { home } = await workbench.engine()
      const driver = await workbench.driver()
      const run = async (...[program, ...words]: [string, ...string[]]) => expectSuccess(await driver.run(program, words))
      const timed = async (push: (tag: string) => Promise<number>) => {
        await clear()
        if (shared) await push('1')
        return push('2')
      }
      const cli = join(packageRoot, 'dist/cli.cjs')
      // What wolffia knows of the packed layers makes no difference to a registry that has none.
      const wolffia = (tag: string) => run('env', `WOLFFIA_HOME=${home}`, process.execPath, '--', cli, 'push', '-q', `${image}:${tag}`)
      const peer = async (program: string) => void require(hasProgram(program), `${program} is not installed`)
      const own = (tag: string) => `oci:${home}:${image}:${tag}`
      return [
        { name: 'wolffia', sample: () => timed(wolffia) },
        await orMissing('skopeo', async () => {
          await peer('skopeo')
          const flags = ['--insecure-policy', 'copy', '-q', '--dest-tls-verify=false', '--dest-compress']
          return { name: 'skopeo', sample: () => timed((tag) => run('skopeo', ...flags, own(tag), `docker://${image}:${tag}`)) }
        }),
        await orMissing('podman', async () => {
          await peer('podman')
          const [words, parent] = [await podmanWords(workbench), await workbench.peerDriver()]
          const podman = async (...more: string[]) => expectSuccess(await parent.run('podman', [...words, ...more]))
          workbench.atEnd(async () => void (await parent.run('rm', ['-rf', join(workbench.directory, 'podman')])))
          for (const tag of ['1', '2']) await wolffia(tag).then(() => podman('pull', '-q', '--tls-verify=false', `${image}:${tag}`))
          return { name: 'podman', sample: () => timed((tag) => podman('push', '-q', '--tls-verify=false', `${image}:${tag}`)) }
        }),
      ]
    },
  }
}

/** One layer and many, none of them there, and with all but one there. */
export const [pushOne, pushMany, pushShared] = [
  pushOf('push-1', 1, false),
  pushOf('push-20', 20, false),
  pushOf('push-20-shared', 20, true),
] as const
