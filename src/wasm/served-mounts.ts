import type { Duplex } from 'node:stream'
import type { OpenedObject } from '../runtime/object-mounts.js'
import type { CreateRequest } from '../runtime/runtime.js'
import { type Served, serveFileSystems } from './file-system-server.js'
import { lazyNumber } from './sandbox-start.js'

/**
 * Answers a sandbox for its mounts of this process's objects, and for layers that come when they are read. Resolves when it asks no more and all
 * is given back.
 */
export async function serveMounts(stream: Duplex, { spec, rootfs }: CreateRequest, objects: readonly OpenedObject[]): Promise<void> {
  const served = new Map<number, Served>(
    objects.map(({ mount, fs }) => [spec.mounts.indexOf(mount), { fs, readonly: mount.readonly }] as const),
  )
  for (const [place, { lazy }] of rootfs.layers.entries()) if (lazy !== undefined) served.set(lazyNumber(spec, place), { contents: lazy })
  await serveFileSystems(stream, served)
  for (const { fs } of objects) fs.close()
}
