import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chooseIdMap, type IdMap } from '../../src/launcher/id-map.js'
import { removeTrees } from '../../src/rootfs/remove-tree.js'
import { VolumeStore, type VolumeUser } from '../../src/volume/volumes.js'

/** A store of volumes in a home that is gone afterwards, whoever owns what is in it, with containers that a test makes up. */
export interface VolumeHome {
  readonly home: string
  readonly store: VolumeStore
  /** To be changed by the test. */
  readonly users: VolumeUser[]
  /** Another process's view of the same home. */
  another(): VolumeStore
}

/** Runs `body` with a {@link VolumeHome}. */
export async function withVolumes(body: (volumes: VolumeHome) => Promise<void>, idMap: IdMap = chooseIdMap().map): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'wolffia-volumes-'))
  const users: VolumeUser[] = []
  const another = () => new VolumeStore({ home, idMap: () => idMap, users: async () => users, holdContainers: (action) => action() })
  try {
    await body({ home, users, store: another(), another })
  } finally {
    await removeTrees(idMap, [join(home, 'volumes')])
    rmSync(home, { recursive: true, force: true })
  }
}
