import { EngineError } from '../errors.js'
import type { ReadonlyFileSystem } from '../fs/file-system.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import { didYouMean } from '../reference/nearest.js'
import type { ContainerSpec, Mount, PrivilegeSpec } from '../runtime/spec.js'
import type { AttachedVolumes } from '../volume/attach.js'
import type { SettledMount } from '../volume/volume.js'
import type { VolumeStore } from '../volume/volumes.js'
import { resolveMounts } from './mounts.js'
import type { CreateOptions } from './options.js'
import type { ContainerState } from './state.js'

/** The store of volumes, loaded when a container has one. */
export type LoadVolumes = () => Promise<VolumeStore>

/** Names of the volumes that a container was made with. */
export function volumesOf({ mounts }: Pick<ContainerSpec, 'mounts'>): readonly string[] {
  return mounts.flatMap((mount) => (mount.type === 'volume' ? [mount.name] : []))
}

/** Removes a container by `remove`, and the anonymous volumes that were made for it; not those that another has too. */
export async function removeWithVolumes(
  volumes: LoadVolumes,
  { mounts }: Pick<ContainerSpec, 'mounts'>,
  remove: () => Promise<void>,
): Promise<void> {
  const names = mounts.flatMap((mount) => (mount.type === 'volume' && mount.anonymous ? [mount.name] : []))
  if (names.length === 0) await remove()
  else await (await volumes()).removeWith(names, remove)
}

/** What a container is to have mounted: what its options say, what other containers have, what its image wants. */
export async function wantedMounts(
  state: ContainerState,
  mounts: readonly SettledMount[],
  { tmpfs = {}, volumesFrom = [] }: CreateOptions,
  image: ContainerConfig,
): Promise<readonly SettledMount[]> {
  const inherited: SettledMount[] = []
  for (const source of volumesFrom) inherited.push(...(await mountsOf(state, source)))
  return resolveMounts({ mounts, tmpfs, inherited, ofImage: Object.keys(image.Volumes ?? {}) })
}

/** Makes and fills the volumes among the mounts. */
export async function attachWanted(
  volumes: LoadVolumes,
  mounts: readonly SettledMount[],
  {
    tree,
    keepId,
    signal,
  }: { readonly tree: () => ReadonlyFileSystem; readonly keepId: PrivilegeSpec['keepId']; readonly signal: AbortSignal | undefined },
): Promise<AttachedVolumes> {
  const plain = mounts.filter((mount): mount is Exclude<SettledMount, { type: 'volume' }> => mount.type !== 'volume')
  if (plain.length === mounts.length) return { mounts: plain, confirm: () => {}, discard: async () => {} }
  const { attachVolumes } = await import('../volume/attach.js')
  return attachVolumes({ store: await volumes(), mounts, tree: tree(), keepId, signal })
}

/** The binds and volumes of another container: `NAME[:ro|rw]`. Nothing is copied into them for the new one. */
async function mountsOf(state: ContainerState, source: string): Promise<readonly SettledMount[]> {
  const [name = '', mode = 'rw', ...rest] = source.split(':')
  if (name === '' || rest.length > 0 || (mode !== 'ro' && mode !== 'rw'))
    throw new EngineError('INVALID_ARGUMENT', `invalid volumes-from ${JSON.stringify(source)}: it must read CONTAINER[:ro]`, {
      data: { volumesFrom: source },
    })
  const ids = await state.find(name)
  if (ids.length > 1)
    throw new EngineError('INVALID_ARGUMENT', `${ids.length} containers have ids that start with ${name}`, {
      hint: 'Give more digits, or the name.',
    })
  const record = ids[0] === undefined ? null : state.read(ids[0])
  if (record === null)
    throw new EngineError('CONTAINER_NOT_FOUND', `no such container: ${name}`, {
      hint: didYouMean(name, await state.names()) ?? '`wolffia ps -a` lists all containers.',
      data: { container: name },
    })
  return record.spec.mounts.flatMap((mount) => inheritedMount(mount, mode))
}

function inheritedMount(mount: Mount, mode: 'ro' | 'rw'): SettledMount[] {
  const readonly = mount.readonly || mode === 'ro'
  if (mount.type === 'tmpfs' || mount.type === 'fs') return []
  if (mount.type === 'bind') return [{ ...mount, readonly }]
  const { name, destination, subpath } = mount
  return [{ type: 'volume', name, destination, readonly, noCopy: true, ...(subpath === undefined ? {} : { subpath }) }]
}
