/** Whether each container's record can be read, is somebody's, and has the layers it stands on. */
import { lstatSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DiffId } from '../oci/digest.js'
import { type Flaw, flaw, foreign } from '../store/flaw.js'
import { folderNames } from '../store/folder-names.js'
import { deadClaims } from '../store/lock.js'
import { type ContainerRecord, isOrphan } from './record.js'
import { type ContainerState, RECORD_FILE } from './state.js'

const ID = /^[0-9a-f]{64}$/

/** What {@link checkContainers} is told of the rest. */
export interface ContainersRequest {
  readonly state: ContainerState
  /** Whether a layer is there, or can be made of a blob that is. */
  readonly hasLayer: (diffId: DiffId) => boolean
  /** Removes what killed commands have left of containers. */
  readonly sweep: () => Promise<void>
}

/** Flaws of all containers, for a caller within {@link ContainerState.hold}. */
export async function checkContainers(request: ContainersRequest): Promise<readonly Flaw[]> {
  const { state } = request
  const names = folderNames(join(state.home, 'containers'))
  const flaws = names.flatMap((name) => {
    if (ID.test(name)) return containerFlaws(name, request)
    return name === 'names' ? [] : [foreign(state.home, join('containers', name))]
  })
  return [...flaws, ...nameFlaws(state)]
}

function containerFlaws(id: string, { state, hasLayer, sweep }: ContainersRequest): readonly Flaw[] {
  const path = join('containers', id)
  const stat = lstatSync(state.directoryOf(id), { throwIfNoEntry: false })
  if (stat === undefined) return []
  if (!stat.isDirectory()) return [foreign(state.home, path)]
  if (lstatSync(join(state.home, path, RECORD_FILE), { throwIfNoEntry: false }) === undefined)
    return [flaw('leftover', path, 'is what a killed command has left of a container', { repair: sweep })]
  const record = readRecord(state, id)
  if (record === null)
    return [flaw('container', path, 'has a record that cannot be read', { remedy: `Remove it: wolffia rm ${id.slice(0, 12)}` })]
  // Whoever holds its lock may be removing it.
  const isInHand = deadClaims(folderNames(join(state.home, 'locks', `container-${id}`))).alive > 0
  if (isOrphan(record) && !isInHand)
    return [flaw('leftover', path, 'was to be removed when it ended, and nobody is left to do so', { repair: sweep })]
  // What is read while it comes is in the hands of who started it.
  if (record.image.lazy === true) return []
  const lost = record.image.diffIds.filter((diffId) => !hasLayer(diffId))
  if (lost.length === 0) return []
  const remedy = `Bring in the image ${record.image.reference} again, or remove the container: wolffia rm ${record.name}`
  return [
    flaw('container', path, `has lost ${lost.length} of the layers it stands on (${lost[0]})`, {
      images: [record.image.reference],
      remedy,
    }),
  ]
}

function readRecord(state: ContainerState, id: string): ContainerRecord | null {
  try {
    return state.read(id)
  } catch {
    return null
  }
}

/** Names that lead to no container: whoever wants such a name takes it. */
function nameFlaws(state: ContainerState): readonly Flaw[] {
  const folder = join('containers', 'names')
  return folderNames(join(state.home, folder)).flatMap((name) => {
    const path = join(state.home, folder, name)
    const id = readLink(path)
    if (id === null || !ID.test(id)) return [foreign(state.home, join(folder, name))]
    if (lstatSync(join(state.directoryOf(id), RECORD_FILE), { throwIfNoEntry: false }) !== undefined) return []
    const repair = () => state.hold(async () => (state.readFile(id, RECORD_FILE) === null ? rmSync(path, { force: true }) : undefined))
    return [flaw('leftover', join(folder, name), 'is the name of a container that is gone', { repair })]
  })
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}
