import { layeredImages } from '../layered-images.js'
import { localRegistry } from '../local-registry.js'
import { registryClients } from '../registry-clients.js'
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
      const clients = await registryClients(workbench)
      const wolffia = clients.wolffia(home)
      const timed = async (push: (tag: string) => Promise<number>) => {
        await clear()
        if (shared) await push('1')
        return push('2')
      }
      // What wolffia knows of the packed layers makes no difference to a registry that has none.
      const own = (tag: string) => wolffia('push', '-q', `${image}:${tag}`)
      return [
        { name: 'wolffia', sample: () => timed(own) },
        await orMissing('skopeo', async () => {
          const skopeo = clients.skopeo()
          const flags = ['copy', '-q', '--dest-tls-verify=false', '--dest-compress']
          return {
            name: 'skopeo',
            sample: () => timed((tag) => skopeo(...flags, `oci:${home}:${image}:${tag}`, `docker://${image}:${tag}`)),
          }
        }),
        await orMissing('podman', async () => {
          const podman = await clients.podman()
          for (const tag of ['1', '2']) await own(tag).then(() => podman('pull', '-q', '--tls-verify=false', `${image}:${tag}`))
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
