import { join } from 'node:path'
import { expectSuccess } from '../expect-success.js'
import { hasProgram } from '../has-program.js'
import { layeredImages } from '../layered-images.js'
import { localRegistry } from '../local-registry.js'
import { podmanWords } from '../podman-words.js'
import { require } from '../unavailable.js'
import { packageRoot } from '../workbench.js'
import { orMissing, type Workload } from '../workload.js'

/** An image from docker-registry on loopback; with `shared`, all but its last layer are here. Removed outside the clock. */
function pullOf(name: string, layers: number, shared: boolean): Workload {
  return {
    name,
    summary: `pull of ${layers} layer${layers === 1 ? '' : 's'}, 50 MB in all${shared ? ', all but one of them here' : ''}`,
    unit: 'ms',
    rounds: 10,
    quickRounds: 2,
    async open(workbench) {
      const { host } = await localRegistry(workbench, 'pull')
      const image = `${host}/bench/layers-${layers}`
      await layeredImages(workbench, image, { layers, megabytes: 50 })
      await workbench.once(`push ${image}`, async () => (await workbench.engine()).images.push(image, { allTags: true }))
      const driver = await workbench.driver()
      const run = async (...[program, ...words]: [string, ...string[]]) => expectSuccess(await driver.run(program, words))
      const cli = join(packageRoot, 'dist/cli.cjs')
      const home = `WOLFFIA_HOME=${await workbench.directoryOf(`${name}-home`)}`
      const wolffia = (...words: string[]) => run('env', home, process.execPath, '--', cli, ...words)
      const timed = async (pull: (tag: string) => Promise<number>, remove: (tag: string) => Promise<unknown>) => {
        if (shared) await pull('1')
        const milliseconds = await pull('2')
        for (const tag of shared ? ['1', '2'] : ['2']) await remove(tag)
        return milliseconds
      }
      const peer = async (program: string) => void require(hasProgram(program), `${program} is not installed`)
      return [
        {
          name: 'wolffia',
          sample: () =>
            timed(
              (tag) => wolffia('pull', '-q', `${image}:${tag}`),
              (tag) => wolffia('rmi', `${image}:${tag}`),
            ),
        },
        await orMissing('skopeo', async () => {
          await peer('skopeo')
          // Into one layout for both, which keeps what they share.
          const layout = join(workbench.directory, `${name}-skopeo`)
          const copy = (tag: string) =>
            run('skopeo', '--insecure-policy', 'copy', '-q', '--src-tls-verify=false', `docker://${image}:${tag}`, `oci:${layout}:${tag}`)
          return { name: 'skopeo', sample: () => timed(copy, () => run('rm', '-rf', layout)) }
        }),
        await orMissing('podman', async () => {
          await peer('podman')
          const [words, parent] = [await podmanWords(workbench), await workbench.peerDriver()]
          const podman = async (...more: string[]) => expectSuccess(await parent.run('podman', [...words, ...more]))
          workbench.atEnd(async () => void (await parent.run('rm', ['-rf', join(workbench.directory, 'podman')])))
          const pull = (tag: string) => podman('pull', '-q', '--tls-verify=false', `${image}:${tag}`)
          return { name: 'podman', sample: () => timed(pull, (tag) => podman('rmi', `${image}:${tag}`)) }
        }),
      ]
    },
  }
}

/** One layer and many, none of them here, and with all but one here. */
export const [pullOne, pullMany, pullShared] = [
  pullOf('pull-1', 1, false),
  pullOf('pull-20', 20, false),
  pullOf('pull-20-shared', 20, true),
] as const
