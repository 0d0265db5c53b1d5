import { join } from 'node:path'
import { layeredImages } from '../layered-images.js'
import { localRegistry } from '../local-registry.js'
import { registryClients } from '../registry-clients.js'
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
      const clients = await registryClients(workbench)
      const wolffia = clients.wolffia(await workbench.directoryOf(`${name}-home`))
      const timed = async (pull: (tag: string) => Promise<number>, remove: (tag: string) => Promise<unknown>) => {
        if (shared) await pull('1')
        const milliseconds = await pull('2')
        for (const tag of shared ? ['1', '2'] : ['2']) await remove(tag)
        return milliseconds
      }
      const own = (tag: string) => wolffia('pull', '-q', `${image}:${tag}`)
      return [
        { name: 'wolffia', sample: () => timed(own, (tag) => wolffia('rmi', `${image}:${tag}`)) },
        await orMissing('skopeo', async () => {
          const [skopeo, remove] = [clients.skopeo(), clients.program('rm')]
          // Into one layout for both, which keeps what they share.
          const layout = join(workbench.directory, `${name}-skopeo`)
          const copy = (tag: string) => skopeo('copy', '-q', '--src-tls-verify=false', `docker://${image}:${tag}`, `oci:${layout}:${tag}`)
          return { name: 'skopeo', sample: () => timed(copy, () => remove('-rf', layout)) }
        }),
        await orMissing('podman', async () => {
          const podman = await clients.podman()
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
